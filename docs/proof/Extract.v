(** Extracts the definitions of the theorems as OCaml. [checker.ml] evaluates them. *)

From Coq Require Import ExtrOcamlBasic ExtrOcamlChar.
From Proof Require Import Steps Entries.

Extraction "ledger.ml" verify verify_answer excuse well_formed alh verify_entries verify_value verify_get.

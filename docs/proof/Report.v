(** What [./dev proof] prints: each theorem, and what it assumes beyond what it says. *)

From Proof Require Import Theorems.

Set Printing Width 110.

Check @no_equivocation_in_one_step.
Print Assumptions no_equivocation_in_one_step.
Check @no_equivocation.
Print Assumptions no_equivocation.

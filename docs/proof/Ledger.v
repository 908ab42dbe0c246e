(** Definitions of the bytes that a ledger hashes, and of the checks of a proof (protocol.md §3, §4). The theorems
    are about these definitions. The program that is compared with [src/ledger] is extracted from them. *)

From Proof Require Export Bytes.

(** The hash is any function from byte strings to byte strings. [hashed] in a theorem lists its inputs. *)
Class Hash := H : bytes -> bytes.

(** The reason why a step refuses a proof. In Rust: [Fault::Malformed], [Fault::Inconsistent],
    [Reason::TreeShrinks], [Reason::PartsNeeded]. *)
Inductive fault := Malformed | Inconsistent | Shrinks | PartsNeeded.

(** The result of a check: [None], or the first fault. *)
Definition check := option fault.
Definition demand (holds : bool) (why : fault) : check := if holds then None else Some why.
Notation "a ;; b" := (match a with None => b | Some why => Some why end)
  (at level 62, right associativity).

Definition is_digest (d : bytes) : bool := Nat.eqb (length d) 32.

Record header := {
  h_id : N;
  h_prev : bytes;  (** Alh of the previous transaction *)
  h_ts : N;        (** the 64 bits of an i64 *)
  h_nentries : N;  (** the 32 bits of an i32 *)
  h_eh : bytes;
  h_bl : N;        (** number of transactions in the tree *)
  h_root : bytes;  (** root of that tree *)
  h_version : N;
  h_truncated : N; (** 0 if there is no metadata *)
  h_extra : bytes  (** empty if there is no metadata *)
}.

(** A transaction and its Alh. *)
Record state := { s_tx : N; s_hash : bytes }.

Record linear_proof := { l_source : N; l_target : N; l_terms : list bytes }.
Record linear_advance := { a_terms : list bytes; a_inclusions : list (list bytes) }.

Record dual_proof := {
  p_source : option header;
  p_target : option header;
  p_inclusion : list bytes;
  p_consistency : list bytes;
  p_target_bl_alh : bytes;
  p_last_inclusion : list bytes;
  p_linear : option linear_proof;
  p_advance : option linear_advance
}.

(** Headers and audit paths that were fetched separately from the proof, by transaction. *)
Record parts := { headers : list (N * header); inclusions : list (N * list bytes) }.

Fixpoint lookup {A} (id : N) (l : list (N * A)) : option A :=
  match l with
  | [] => None
  | (key, a) :: l => if key =? id then Some a else lookup id l
  end.

(** §3 Headers: the checks of [TxHeader::new], and the limits that Rust's types guarantee (digests of 32 bytes,
    numbers that fit). *)

Definition metadata (h : header) : bytes :=
  (if 0 <? h_truncated h then "000"%char :: u64 (h_truncated h) else []) ++
  (match h_extra h with
   | [] => []
   | extra => "001"%char :: u16 (N.of_nat (length extra)) ++ extra
   end).

Definition is_empty (b : bytes) : bool := match b with [] => true | _ => false end.

Definition typed (h : header) : bool :=
  below_u64 (h_id h) && below_u64 (h_ts h) && below_u64 (h_bl h) && below_u64 (h_truncated h) &&
  (h_nentries h <? 2 ^ 32) && is_digest (h_prev h) && is_digest (h_eh h) && is_digest (h_root h).

Definition well_formed (h : header) : bool :=
  typed h &&
  ((h_version h =? 0) || (h_version h =? 1)) &&
  (h_nentries h <? 2 ^ 31) &&
  (N.of_nat (length (h_extra h)) <=? 256) &&
  (if h_version h =? 0 then (h_nentries h <=? 65535) && is_empty (metadata h) else true).

Section Hashing.
Context {hash : Hash}.

Definition inner_input (h : header) : bytes :=
  if h_version h =? 0
  then u64 (h_ts h) ++ u32 (h_nentries h) ++ h_eh h ++ u64 (h_bl h) ++ h_root h
  else u64 (h_ts h) ++ u16 1 ++ u16 (N.of_nat (length (metadata h))) ++ metadata h ++
       u32 (h_nentries h) ++ h_eh h ++ u64 (h_bl h) ++ h_root h.
Definition inner (h : header) : bytes := H (inner_input h).

(** One link of the chain: the Alh of [id], from the previous Alh and the transaction's inner hash [own]. *)
Definition link_input (id : N) (prev own : bytes) : bytes := u64 id ++ prev ++ own.
Definition link (id : N) (prev own : bytes) : bytes := H (link_input id prev own).

Definition alh (h : header) : bytes := link (h_id h) (h_prev h) (inner h).
Definition header_inputs (h : header) : list bytes :=
  [inner_input h; link_input (h_id h) (h_prev h) (inner h)].

(** §4 Trees. A leaf's position counts from 1, its index from 0. *)

Definition leaf_input (data : bytes) : bytes := "000"%char :: data.
Definition node_input (left right : bytes) : bytes := "001"%char :: left ++ right.
Definition leaf (data : bytes) : bytes := H (leaf_input data).
Definition node (left right : bytes) : bytes := H (node_input left right).

(** The side of the running hash on which a term is hashed. *)
Inductive side := Left | Right.

(** The sides of the terms, level by level, from index [node] to the root of a tree whose last leaf has index [last].
    64 levels are enough for every tree of less than 2^64 leaves. *)
Fixpoint path (levels : nat) (node last : N) : list side :=
  match levels with
  | O => []
  | S levels =>
      if last =? 0 then []
      else if N.odd node then Left :: path levels (node / 2) (last / 2)
      else if node =? last then path levels (node / 2) (last / 2) (* moves up unchanged *)
      else Right :: path levels (node / 2) (last / 2)
  end.

Definition levels := 64%nat.

(** The path of a consistency proof, which begins at the largest complete subtree at the end of the old tree. *)
Fixpoint path_from_old_tree (levels : nat) (node last : N) : list side :=
  match levels with
  | O => []
  | S below =>
      if N.odd node then path_from_old_tree below (node / 2) (last / 2)
      else path levels node last
  end.

Fixpoint climb (sides : list side) (terms : list bytes) (hash : bytes) : bytes :=
  match sides, terms with
  | Left :: sides, term :: terms => climb sides terms (node term hash)
  | Right :: sides, term :: terms => climb sides terms (node hash term)
  | _, _ => hash
  end.
Fixpoint climb_inputs (sides : list side) (terms : list bytes) (hash : bytes) : list bytes :=
  match sides, terms with
  | Left :: sides, term :: terms => node_input term hash :: climb_inputs sides terms (node term hash)
  | Right :: sides, term :: terms => node_input hash term :: climb_inputs sides terms (node hash term)
  | _, _ => []
  end.

(* The kernel unfolds these definitions last, because a path that is unfolded 64 times is a large term. *)
Strategy 1000 [path path_from_old_tree levels].

(** Checks that [terms] are exactly [due] digests. *)
Definition digests (due : N) (terms : list bytes) : check :=
  demand (N.of_nat (length terms) =? due) Malformed ;;
  demand (forallb is_digest terms) Malformed.

Definition inclusion_path (position size : N) : list side := path levels (position - 1) (size - 1).

Definition inclusion_form (position size : N) (terms : list bytes) : check :=
  demand ((1 <=? position) && (position <=? size)) Malformed ;;
  digests (N.of_nat (length (inclusion_path position size))) terms.

Definition inclusion_holds (position size : N) (terms : list bytes) (data root : bytes) : check :=
  demand (eqb root (climb (inclusion_path position size) terms (leaf data))) Inconsistent.

Definition inclusion_inputs (position size : N) (terms : list bytes) (data : bytes) : list bytes :=
  leaf_input data :: climb_inputs (inclusion_path position size) terms (leaf data).

(** The roots of the old and the new tree, computed from the node where the proof begins. *)
Fixpoint climb_both (sides : list side) (terms : list bytes) (old new : bytes) : bytes * bytes :=
  match sides, terms with
  | Left :: sides, term :: terms => climb_both sides terms (node term old) (node term new)
  | Right :: sides, term :: terms => climb_both sides terms old (node new term)
  | _, _ => (old, new)
  end.
Fixpoint climb_both_inputs (sides : list side) (terms : list bytes) (old new : bytes) : list bytes :=
  match sides, terms with
  | Left :: sides, term :: terms =>
      node_input term old :: node_input term new ::
      climb_both_inputs sides terms (node term old) (node term new)
  | Right :: sides, term :: terms =>
      node_input new term :: climb_both_inputs sides terms old (node new term)
  | _, _ => []
  end.

Definition consistency_path (old new : N) : list side :=
  path_from_old_tree levels (old - 1) (new - 1).

(** Requires [0 < old <= new]. *)
Definition consistency_check (old : N) (old_root : bytes) (new : N) (new_root : bytes)
    (terms : list bytes) : check :=
  if old =? new then
    digests (if 1 <? new then 2 else 0) terms ;;
    demand (eqb old_root new_root) Inconsistent ;;
    match terms with
    | [right_one; left_one] => demand (eqb new_root (node left_one right_one)) Inconsistent
    | _ => None
    end
  else
    let sides := consistency_path old new in
    digests (N.of_nat (length sides) + 1) terms ;;
    match terms with
    | [] => Some Malformed
    | start :: rest =>
        let (got_old, got_new) := climb_both sides rest start start in
        demand (eqb old_root got_old) Inconsistent ;;
        demand (eqb new_root got_new) Inconsistent
    end.
Definition consistency_inputs (old new : N) (terms : list bytes) : list bytes :=
  if old =? new then match terms with [right_one; left_one] => [node_input left_one right_one] | _ => [] end
  else
    match terms with
    | [] => []
    | start :: rest => climb_both_inputs (consistency_path old new) rest start start
    end.

(** The last Alh of a chain: [id] has the Alh [hash], and [terms] are the inner hashes of the transactions after [id]. *)
Fixpoint fold_chain (id : N) (hash : bytes) (terms : list bytes) : bytes :=
  match terms with
  | [] => hash
  | term :: terms => fold_chain (id + 1) (link (id + 1) hash term) terms
  end.
Fixpoint fold_chain_inputs (id : N) (hash : bytes) (terms : list bytes) : list bytes :=
  match terms with
  | [] => []
  | term :: terms =>
      link_input (id + 1) hash term :: fold_chain_inputs (id + 1) (link (id + 1) hash term) terms
  end.

(** The headers of [id] to [last]. Each must exist and must have its own id. [fuel] is larger than their number. *)
Fixpoint chain (fuel : nat) (from : list (N * header)) (id last : N) : list header + fault :=
  if last <? id then inl [] else
  match fuel, lookup id from with
  | S fuel, Some h =>
      if well_formed h && (h_id h =? id) then
        match chain fuel from (id + 1) last with
        | inl rest => inl (h :: rest)
        | inr why => inr why
        end
      else inr Malformed
  | _, _ => inr PartsNeeded
  end.
Definition chain_of (p : parts) : N -> N -> list header + fault :=
  chain (S (length (headers p))) (headers p).

End Hashing.

(** Definitions of a transaction's entries (protocol.md §3), and of their checks in [src/ledger/entry.rs]. *)

From Proof Require Export Ledger.

(** Absent metadata is the same as empty metadata, because the hashed bytes are equal. *)
Record kv_metadata := { m_deleted : bool; m_expires : option N; m_non_indexable : bool }.
Record entry := { e_key : bytes; e_metadata : kv_metadata; e_value_hash : bytes }.

Definition kv_bytes (m : kv_metadata) : bytes :=
  (if m_deleted m then ["000"%char] else []) ++
  (match m_expires m with Some at_second => "001"%char :: u64 at_second | None => [] end) ++
  (if m_non_indexable m then ["002"%char] else []).

(** The limits that Rust's types guarantee, and then the rules of the header's version. *)
Definition entry_form (h : header) (e : entry) : check :=
  demand (is_digest (e_value_hash e) &&
          match m_expires (e_metadata e) with Some at_second => below_u64 at_second | None => true end) Malformed ;;
  if h_version h =? 0 then demand (is_empty (kv_bytes (e_metadata e))) Malformed
  else demand (N.of_nat (length (e_key e)) <? 65536) Malformed.

(** The entry of a response to [VerifiableGet]: a plain value, or a value that was read through a reference. *)
Record reference := { r_tx : N; r_key : bytes; r_at : N; r_metadata : kv_metadata }.
Record get_entry := {
  g_tx : N; g_key : bytes; g_value : bytes; g_metadata : kv_metadata; g_reference : option reference
}.

(** The stored entry. A plain value is stored after a byte 0. A reference is stored as a byte 1, the transaction [r_at],
    and the referenced key. *)
Definition stored_in (g : get_entry) : N :=
  match g_reference g with None => g_tx g | Some r => r_tx r end.
Definition stored_key (g : get_entry) : bytes :=
  "000"%char :: match g_reference g with None => g_key g | Some r => r_key r end.
Definition stored_metadata (g : get_entry) : kv_metadata :=
  match g_reference g with None => g_metadata g | Some r => r_metadata r end.
Definition stored_value (g : get_entry) : bytes :=
  match g_reference g with
  | None => "000"%char :: g_value g
  | Some r => "001"%char :: u64 (r_at r) ++ "000"%char :: g_key g
  end.

Fixpoint entries_form (h : header) (es : list entry) : check :=
  match es with [] => None | e :: es => entry_form h e ;; entries_form h es end.

Section Entries.
Context {hash : Hash}.

Definition entry_input (h : header) (e : entry) : bytes :=
  if h_version h =? 0 then e_key e ++ e_value_hash e
  else u16 (N.of_nat (length (kv_bytes (e_metadata e)))) ++ kv_bytes (e_metadata e) ++
       u16 (N.of_nat (length (e_key e))) ++ e_key e ++ e_value_hash e.
Definition entry_digest (h : header) (e : entry) : bytes := H (entry_input h e).

(** The next level of a tree. A node without a sibling moves up unchanged. *)
Fixpoint pair_up (l : list bytes) : list bytes :=
  match l with a :: b :: l => node a b :: pair_up l | l => l end.
Fixpoint pair_up_inputs (l : list bytes) : list bytes :=
  match l with a :: b :: l => node_input a b :: pair_up_inputs l | _ => [] end.

(** [fuel] is the number of nodes, which is larger than the number of levels that remain. *)
Fixpoint root_of (fuel : nat) (l : list bytes) : bytes :=
  match l, fuel with
  | [one], _ => one
  | _ :: _, S fuel => root_of fuel (pair_up l)
  | _, _ => H []
  end.
Fixpoint root_inputs (fuel : nat) (l : list bytes) : list bytes :=
  match l, fuel with
  | [_], _ => []
  | _ :: _, S fuel => pair_up_inputs l ++ root_inputs fuel (pair_up l)
  | _, _ => []
  end.

Definition entry_leaves (h : header) (es : list entry) : list bytes :=
  map (fun e => leaf (entry_digest h e)) es.

(** [verify_entries]: the number of the entries and the root over their digests are those of the header. *)
Definition verify_entries (h : header) (es : list entry) : check :=
  demand (N.of_nat (length es) =? h_nentries h) Malformed ;;
  entries_form h es ;;
  demand (eqb (h_eh h) (root_of (length es) (entry_leaves h es))) Inconsistent.

Definition entries_inputs (h : header) (es : list entry) : list bytes :=
  map (entry_input h) es ++ map (fun e => leaf_input (entry_digest h e)) es ++
  root_inputs (length es) (entry_leaves h es).

(** [TxEntry::verify_value]. *)
Definition verify_value (e : entry) (value : bytes) : check :=
  demand (eqb (e_value_hash e) (H value)) Inconsistent.

(** [GetEntry::verify]: the entry is the leaf with index [leaf_index] of the transaction's tree. *)
Definition stored (g : get_entry) : entry :=
  {| e_key := stored_key g; e_metadata := stored_metadata g; e_value_hash := H (stored_value g) |}.
Definition verify_get (h : header) (g : get_entry) (leaf_index width : N) (terms : list bytes) : check :=
  demand (h_id h =? stored_in g) Malformed ;;
  demand (width =? h_nentries h) Malformed ;;
  entry_form h (stored g) ;;
  inclusion_form (leaf_index + 1) (h_nentries h) terms ;;
  inclusion_holds (leaf_index + 1) (h_nentries h) terms (entry_digest h (stored g)) (h_eh h).
Definition get_inputs (h : header) (g : get_entry) (leaf_index : N) (terms : list bytes) : list bytes :=
  stored_value g :: entry_input h (stored g) ::
  inclusion_inputs (leaf_index + 1) (h_nentries h) terms (entry_digest h (stored g)).

End Entries.

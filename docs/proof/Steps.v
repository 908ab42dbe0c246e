(** The eight steps of a dual proof (protocol.md §4), in the order of [src/ledger/dual_proof.rs], and the excuse. *)

From Proof Require Export Ledger.

Inductive step :=
  Header | Ids | Alh | Inclusion | Consistency | LastInclusion | LinearProof | LinearAdvance | OnwardLink | Excuse.

Inductive verdict := Accepted | Refused (at_step : step) (why : fault).

(** The rules that [Counterexamples] leaves out, one at a time. *)
Inductive rule :=
  InclusionRule | ConsistencyRule | LastInclusionRule | TreeEndIsSource | LinearRule | AdvanceRule | OnwardRule.
Definition unless (without : option rule) (r : rule) (c : check) : check :=
  match without, r with
  | Some InclusionRule, InclusionRule | Some ConsistencyRule, ConsistencyRule
  | Some LastInclusionRule, LastInclusionRule | Some TreeEndIsSource, TreeEndIsSource
  | Some LinearRule, LinearRule | Some AdvanceRule, AdvanceRule | Some OnwardRule, OnwardRule => None
  | _, _ => c
  end.

Section Steps.
Context {hash : Hash}.

(** 1. The headers have the requested ids. *)
Definition ids (s t : state) (sh th : header) : check :=
  demand (h_id sh =? s_tx s) Malformed ;;
  demand (h_id th =? s_tx t) Malformed ;;
  demand ((0 <? s_tx s) && (s_tx s <=? s_tx t)) Malformed ;;
  demand (h_bl sh <? h_id sh) Malformed ;;
  demand (h_bl th <? h_id th) Malformed.

(** 2. The headers hash to the trusted and the claimed Alh. *)
Definition header_hashes (s t : state) (sh th : header) : check :=
  demand (eqb (s_hash s) (alh sh)) Inconsistent ;;
  demand (eqb (s_hash t) (alh th)) Inconsistent ;;
  demand (h_bl sh <=? h_bl th) Shrinks.

(** Whether the target's tree extends beyond the source. If not, the source is in the target's chain. *)
Definition in_tree (s : state) (th : header) : bool := s_tx s <? h_bl th.

(** 3. The source is in the target's tree, if the tree extends beyond the source. *)
Definition inclusion (s : state) (th : header) (p : dual_proof) : check :=
  if in_tree s th then
    inclusion_form (s_tx s) (h_bl th) (p_inclusion p) ;;
    inclusion_holds (s_tx s) (h_bl th) (p_inclusion p) (s_hash s) (h_root th)
  else None.

(** 4. The target's tree extends the source's tree. *)
Definition consistency (sh th : header) (p : dual_proof) : check :=
  if h_bl sh =? 0 then None
  else consistency_check (h_bl sh) (h_root sh) (h_bl th) (h_root th) (p_consistency p).

(** 5. [targetBlTxAlh] is the last leaf of the target's tree. If the tree ends at the source, this leaf is the source. *)
Definition last_inclusion (without : option rule) (s : state) (th : header) (p : dual_proof) : check :=
  let size := h_bl th in
  if size =? 0 then None
  else
    demand (is_digest (p_target_bl_alh p)) Malformed ;;
    unless without LastInclusionRule (
      inclusion_form size size (p_last_inclusion p) ;;
      inclusion_holds size size (p_last_inclusion p) (p_target_bl_alh p) (h_root th)) ;;
    unless without TreeEndIsSource (
      if size =? s_tx s then demand (eqb (s_hash s) (p_target_bl_alh p)) Inconsistent else None).

(** The transaction where the target's chain begins, and its Alh. *)
Definition chain_start (s : state) (th : header) (p : dual_proof) : state :=
  if in_tree s th then {| s_tx := h_bl th; s_hash := p_target_bl_alh p |} else s.

(** 6. The chain leads from the end of the target's tree, or from the source, to the target. *)
Definition linear (s t : state) (th : header) (p : dual_proof) : check :=
  let start := chain_start s th p in
  match p_linear p with
  | None => Some Malformed
  | Some l =>
      demand (l_source l =? s_tx start) Malformed ;;
      demand (l_target l =? s_tx t) Malformed ;;
      digests (s_tx t - s_tx start + 1) (l_terms l) ;;
      match l_terms l with
      | [] => Some Malformed
      | first :: rest =>
          demand (eqb (s_hash start) first) Inconsistent ;;
          demand (eqb (s_hash t) (fold_chain (s_tx start) first rest)) Inconsistent
      end
  end.

(** The end of the part of the source's chain that the target's tree includes. *)
Definition swallowed_end (s : state) (th : header) (p : dual_proof) : state :=
  if in_tree s th then s else {| s_tx := h_bl th; s_hash := p_target_bl_alh p |}.

(** Checks the terms that the server sent: [a] is the Alh of [id]. It is in the tree, and the next Alh is computed from
    it, until the end. *)
Fixpoint walk_terms (th : header) (end_alh : bytes) (id : N) (a : bytes)
    (paths : list (list bytes)) (rest : list bytes) : check :=
  match paths, rest with
  | path :: paths, own :: rest =>
      inclusion_holds id (h_bl th) path a (h_root th) ;;
      walk_terms th end_alh (id + 1) (link (id + 1) a own) paths rest
  | _, _ => demand (eqb end_alh a) Inconsistent
  end.

(** Makes the same check with fetched headers, for servers before 1.4. *)
Fixpoint walk_headers (th : header) (end_alh : bytes) (id : N) (a : bytes)
    (paths : list (list bytes)) (rest : list header) : check :=
  match paths, rest with
  | path :: paths, next :: rest =>
      inclusion_holds id (h_bl th) path a (h_root th) ;;
      demand (eqb a (h_prev next)) Inconsistent ;;
      walk_headers th end_alh (id + 1) (alh next) paths rest
  | _, _ => demand (eqb end_alh a) Inconsistent
  end.

Fixpoint paths_form (size id : N) (paths : list (list bytes)) : check :=
  match paths with
  | [] => None
  | path :: paths => inclusion_form id size path ;; paths_form size (id + 1) paths
  end.

(** The audit paths of [id] up to, not including, [last]. Each must exist and must have the right form. *)
Fixpoint fetched_paths (fuel : nat) (from : list (N * list bytes)) (size id last : N) :
    list (list bytes) + fault :=
  if last <=? id then inl [] else
  match fuel, lookup id from with
  | S fuel, Some path =>
      match inclusion_form id size path with
      | Some why => inr why
      | None =>
          match fetched_paths fuel from size (id + 1) last with
          | inl rest => inl (path :: rest)
          | inr why => inr why
          end
      end
  | _, _ => inr PartsNeeded
  end.
Definition paths_of (ps : parts) : N -> N -> N -> list (list bytes) + fault :=
  fetched_paths (S (length (inclusions ps))) (inclusions ps).

(** 7. The leaves that the target's tree adds, up to the source, are the chain that leads to the source, leaf for leaf. *)
Definition advance (s : state) (sh th : header) (p : dual_proof) (ps : parts) : check :=
  let start := h_bl sh in
  let last := swallowed_end s th p in
  if s_tx last <=? start + 1 then None
  else
    match p_advance p with
    | Some a =>
        digests (s_tx last - start) (a_terms a) ;;
        demand (N.of_nat (length (a_inclusions a)) =? s_tx last - start - 1) Malformed ;;
        paths_form (h_bl th) (start + 1) (a_inclusions a) ;;
        match a_terms a with
        | [] => Some Malformed
        | first :: rest => walk_terms th (s_hash last) (start + 1) first (a_inclusions a) rest
        end
    | None =>
        match chain_of ps (start + 1) (s_tx last) with
        | inr why => Some why
        | inl [] => Some Malformed
        | inl (first :: rest) =>
            match paths_of ps (h_bl th) (start + 1) (s_tx last) with
            | inr why => Some why
            | inl paths => walk_headers th (s_hash last) (start + 1) (alh first) paths rest
            end
        end
    end.

(** Each header contains the previous Alh, and the last Alh is [end_alh]. *)
Fixpoint follow (end_alh a : bytes) (l : list header) : check :=
  match l with
  | [] => demand (eqb end_alh a) Inconsistent
  | next :: l => demand (eqb a (h_prev next)) Inconsistent ;; follow end_alh (alh next) l
  end.

(** 8. If the target's tree ends before the source, the chain leads from its last leaf to the source. *)
Definition onward (s : state) (sh th : header) (p : dual_proof) (ps : parts) : check :=
  if (h_bl sh <? h_bl th) && (h_bl th <? s_tx s) then
    match chain_of ps (h_bl th + 1) (s_tx s) with
    | inr why => Some why
    | inl l => follow (s_hash s) (p_target_bl_alh p) l
    end
  else None.

Definition state_typed (s : state) : bool := below_u64 (s_tx s) && is_digest (s_hash s).

(** The first step that refuses determines the verdict. *)
Fixpoint first_refusal (l : list (step * check)) : verdict :=
  match l with
  | [] => Accepted
  | (_, None) :: l => first_refusal l
  | (at_step, Some why) :: _ => Refused at_step why
  end.

(** [ledger::verify], with or without one of its rules. *)
Definition verify_without (without : option rule) (s t : state) (p : dual_proof) (ps : parts) : verdict :=
  match p_source p, p_target p with
  | Some sh, Some th =>
      first_refusal
        [ (Header, demand (well_formed sh && well_formed th && state_typed s && state_typed t) Malformed);
          (Ids, ids s t sh th);
          (Alh, header_hashes s t sh th);
          (Inclusion, unless without InclusionRule (inclusion s th p));
          (Consistency, unless without ConsistencyRule (consistency sh th p));
          (LastInclusion, last_inclusion without s th p);
          (LinearProof, unless without LinearRule (linear s t th p));
          (LinearAdvance, unless without AdvanceRule (advance s sh th p ps));
          (OnwardLink, unless without OnwardRule (onward s sh th p ps)) ]
  | _, _ => Refused Ids Malformed
  end.

Definition verify : state -> state -> dual_proof -> parts -> verdict := verify_without None.

(** [DualProof::verify_answer]: the header of the response is the header that the proof has for the requested
    transaction. *)
Definition verify_answer (p : dual_proof) (asked : N) (h : header) : check :=
  let is_it (of_proof : option header) :=
    match of_proof with Some g => if h_id g =? asked then Some g else None | None => None end in
  demand (h_id h =? asked) Malformed ;;
  match is_it (p_target p), is_it (p_source p) with
  | Some g, _ | None, Some g => demand (eqb (alh g) (alh h)) Inconsistent
  | None, None => Some Malformed
  end.

(** All byte strings that the steps hash for an accepted proof. *)
Fixpoint walk_terms_inputs (th : header) (id : N) (a : bytes)
    (paths : list (list bytes)) (rest : list bytes) : list bytes :=
  match paths, rest with
  | path :: paths, own :: rest =>
      inclusion_inputs id (h_bl th) path a ++ link_input (id + 1) a own ::
      walk_terms_inputs th (id + 1) (link (id + 1) a own) paths rest
  | _, _ => []
  end.
Fixpoint walk_headers_inputs (th : header) (id : N) (a : bytes)
    (paths : list (list bytes)) (rest : list header) : list bytes :=
  match paths, rest with
  | path :: paths, next :: rest =>
      inclusion_inputs id (h_bl th) path a ++ header_inputs next ++
      walk_headers_inputs th (id + 1) (alh next) paths rest
  | _, _ => []
  end.
Definition advance_inputs (s : state) (sh th : header) (p : dual_proof) (ps : parts) : list bytes :=
  let start := h_bl sh in
  let last := swallowed_end s th p in
  if s_tx last <=? start + 1 then []
  else
    match p_advance p with
    | Some a =>
        match a_terms a with
        | [] => []
        | first :: rest => walk_terms_inputs th (start + 1) first (a_inclusions a) rest
        end
    | None =>
        match chain_of ps (start + 1) (s_tx last), paths_of ps (h_bl th) (start + 1) (s_tx last) with
        | inl (first :: rest), inl paths =>
            header_inputs first ++ walk_headers_inputs th (start + 1) (alh first) paths rest
        | _, _ => []
        end
    end.
Definition onward_inputs (s : state) (sh th : header) (ps : parts) : list bytes :=
  if (h_bl sh <? h_bl th) && (h_bl th <? s_tx s) then
    match chain_of ps (h_bl th + 1) (s_tx s) with
    | inl l => flat_map header_inputs l
    | inr _ => []
    end
  else [].
Definition linear_inputs (s : state) (th : header) (p : dual_proof) : list bytes :=
  match p_linear p with
  | Some l =>
      match l_terms l with
      | first :: rest => fold_chain_inputs (s_tx (chain_start s th p)) first rest
      | [] => []
      end
  | None => []
  end.
Definition hashed (s : state) (p : dual_proof) (ps : parts) : list bytes :=
  match p_source p, p_target p with
  | Some sh, Some th =>
      header_inputs sh ++ header_inputs th ++
      (if in_tree s th then inclusion_inputs (s_tx s) (h_bl th) (p_inclusion p) (s_hash s) else []) ++
      (if h_bl sh =? 0 then [] else consistency_inputs (h_bl sh) (h_bl th) (p_consistency p)) ++
      (if h_bl th =? 0 then []
       else inclusion_inputs (h_bl th) (h_bl th) (p_last_inclusion p) (p_target_bl_alh p)) ++
      linear_inputs s th p ++ advance_inputs s sh th p ps ++ onward_inputs s sh th ps
  | _, _ => []
  end.

(** Checks that the headers from [id] to [last] are a chain after the Alh [a]. *)
Fixpoint excuse_chain (fuel : nat) (from : list (N * header)) (id last : N) (a : bytes) : check :=
  if last <? id then None else
  match fuel, lookup id from with
  | S fuel, Some h =>
      demand (well_formed h && (h_id h =? id)) Malformed ;;
      demand (eqb a (h_prev h)) Inconsistent ;;
      excuse_chain fuel from (id + 1) last (alh h)
  | _, _ => Some Malformed
  end.

(** [ledger::excuse]: the trees shrink and the headers are a chain, so no proof of this pair can exist. *)
Definition excuse (s t : state) (from : list (N * header)) : verdict :=
  let of (x : state) (h : header) : check :=
    demand (well_formed h) Malformed ;;
    demand (h_id h =? s_tx x) Malformed ;;
    demand (h_bl h <? h_id h) Malformed ;;
    demand (eqb (s_hash x) (alh h)) Inconsistent in
  let found :=
    demand ((0 <? s_tx s) && (s_tx s <=? s_tx t)) Malformed ;;
    match lookup (s_tx s) from, lookup (s_tx t) from with
    | None, _ => Some Malformed
    | Some sh, None => of s sh ;; Some Malformed
    | Some sh, Some th =>
        of s sh ;; of t th ;;
        excuse_chain (S (length from)) from (s_tx s + 1) (s_tx t) (s_hash s) ;;
        demand (h_bl th <? h_bl sh) Malformed
    end in
  first_refusal [(Excuse, found)].
End Steps.

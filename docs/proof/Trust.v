(** Changes of the trusted state: only proofs change it, never an excuse. No pair has both an excuse and a proof. *)

From Proof Require Export Theorems.

(** The responses to an auditor: a state with a proof, the trusted transaction again, or a state with an excuse. *)
Inductive answer :=
| ShownWithProof (t : state) (p : dual_proof) (ps : parts)
| ShownAgain (t : state)
| ShownWithExcuse (t : state) (from : list (N * header)).

(** The trusted state after a response (docs/architecture.md, "Data flow of a state"). *)
Definition next {hash : Hash} (trusted : state) (a : answer) : state :=
  match a with
  | ShownWithProof t p ps => match verify trusted t p ps with Accepted => t | Refused _ _ => trusted end
  | ShownAgain _ | ShownWithExcuse _ _ => trusted
  end.

(** (4a) After any responses, the trusted state is the end of a run of accepted proofs. So [no_equivocation] and
    [values_stay] apply to every state that an auditor trusts. *)
Theorem trust_moves_by_proofs_alone {hash : Hash} : forall answers s,
  exists steps, run s steps /\ fold_left next answers s = last_of s steps.
Proof.
  induction answers as [|a answers IH]; intros s; cbn [fold_left].
  - exists []. cbn. auto.
  - destruct a as [t p ps|t|t from]; cbn [next]; auto.
    destruct (verify s t p ps) eqn:V; auto.
    destruct (IH t) as (steps & R & E).
    exists ({| to := t; by_proof := p; with_parts := ps |} :: steps). cbn. auto.
Qed.

(** The hashed byte strings of the two headers of an excuse. *)
Definition excuse_hashed {hash : Hash} (s t : state) (from : list (N * header)) : list bytes :=
  match lookup (s_tx s) from, lookup (s_tx t) from with
  | Some sh, Some th => header_inputs sh ++ header_inputs th
  | _, _ => []
  end.

(** (4b) An excused pair has no proof, or two of the hashed byte strings collide. So no excuse is accepted for a pair
    that the server could have proven. *)
Theorem excused_means_unprovable {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall s t from p ps,
  excuse s t from = Accepted -> verify s t p ps = Accepted ->
  collision (excuse_hashed s t from ++ hashed s p ps).
Proof.
  intros s t from p ps E V.
  destruct (collision_or_none (excuse_hashed s t from ++ hashed s p ps)) as [C|N]; auto. exfalso.
  set (K := fun b => In b (excuse_hashed s t from ++ hashed s p ps)).
  assert (Incl : forall m, incl m (excuse_hashed s t from ++ hashed s p ps) -> Forall K m).
  { intros m I. apply Forall_forall. exact I. }
  destruct (verify_says hash_length K N s t p ps V) as (sh & th & S).
  { apply Incl, incl_appr, incl_refl. }
  destruct (said_source _ _ _ _ _ _ S) as (Ws & _ & As & Ks).
  destruct (said_target _ _ _ _ _ _ S) as (Wt & _ & At & Kt).
  pose proof (said_ids _ _ _ _ _ _ S) as I.
  unfold excuse in E. apply first_refusal_accepted, Forall_inv in E. cbn [snd] in E.
  destruct (demand ((0 <? s_tx s) && _) _); [discriminate|].
  assert (Ek : Forall K (excuse_hashed s t from)) by apply Incl, incl_appl, incl_refl.
  unfold excuse_hashed in Ek.
  destruct (lookup (s_tx s) from) as [h|].
  2: discriminate.
  destruct (lookup (s_tx t) from) as [g|].
  2: { destruct (match demand _ _ with None => _ | Some _ => _ end); discriminate. }
  apply Forall_app in Ek. destruct Ek as [Kh Kg].
  repeat match type of E with
  | match (match ?c with None => ?d | Some w => Some w end) with None => _ | Some v => Some v end = None =>
      destruct c eqn:?; [discriminate|]
  | match demand ?b ?w with None => _ | Some v => Some v end = None =>
      destruct (demand b w) eqn:?; [discriminate|]
  | match ?c with None => _ | Some v => Some v end = None => destruct c eqn:?; [discriminate|]
  end.
  apply demand_ok in E.
  repeat match goal with D : demand (eqb _ _) _ = None |- _ => apply same_ok in D end.
  repeat match goal with D : demand _ _ = None |- _ => apply demand_ok in D end.
  assert (h = sh) by (eapply alh_injective with (K := K); eauto; congruence).
  assert (g = th) by (eapply alh_injective with (K := K); eauto; congruence).
  subst. lia.
Qed.

(** A proof from a transaction to itself shows only that both hashes are equal. So if the server shows the trusted
    transaction again, no proof is required: a comparison of the hashes gives the same result. *)
Theorem a_transaction_proves_only_itself {hash : Hash} :
  forall x X Y p ps,
  verify {| s_tx := x; s_hash := X |} {| s_tx := x; s_hash := Y |} p ps = Accepted -> X = Y.
Proof.
  intros x X Y p ps V. unfold verify, verify_without in V.
  destruct (p_source p) as [sh|]; [|discriminate]. destruct (p_target p) as [th|]; [|discriminate].
  apply first_refusal_accepted in V.
  repeat match goal with
  | V : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in V; destruct V as [?V V]; cbn [snd unless] in *
  end.
  unfold ids in V1. cbn [s_tx] in V1.
  repeat match type of V1 with match demand ?b ?w with _ => _ end = None =>
    let F := fresh "Hid" in destruct (demand b w) eqn:F; [discriminate|]; apply demand_ok in F end.
  apply demand_ok in V1.
  unfold linear, chain_start, in_tree in V6. cbn [s_tx s_hash] in V6.
  replace (x <? h_bl th) with false in V6 by lia. cbn [s_tx s_hash] in V6.
  destruct (p_linear p) as [l|]; [|discriminate].
  destruct (demand _ _) in V6; [discriminate|]. destruct (demand _ _) in V6; [discriminate|].
  destruct (digests (x - x + 1) (l_terms l)) eqn:D; [discriminate|].
  apply digests_ok in D. destruct D as [Dl _].
  destruct (l_terms l) as [|first [|other rest]]; [discriminate| |cbn [length] in Dl; lia].
  cbn [fold_chain] in V6.
  destruct (demand (eqb X first) Inconsistent) eqn:F; [discriminate|].
  apply same_ok in F, V6. congruence.
Qed.

(** The header of the entries is one of the two proven headers: that of the source, or that of the target. *)
Theorem answers_are_of_the_proof {hash : Hash} : forall s t p ps asked h,
  verify s t p ps = Accepted -> verify_answer p asked h = None ->
  h_id h = asked /\ (asked = s_tx s /\ alh h = s_hash s \/ asked = s_tx t /\ alh h = s_hash t).
Proof.
  intros s t p ps asked h V A. unfold verify, verify_without in V. unfold verify_answer in A.
  destruct (p_source p) as [sh|]; [|discriminate]. destruct (p_target p) as [th|]; [|discriminate].
  apply first_refusal_accepted in V.
  repeat match goal with
  | V : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in V; destruct V as [?V V]; cbn [snd unless] in *
  end.
  unfold ids in V1. unfold header_hashes in V2.
  repeat match type of V1 with match demand ?b ?w with _ => _ end = None =>
    let F := fresh "Hid" in destruct (demand b w) eqn:F; [discriminate|]; apply demand_ok in F end.
  repeat match type of V2 with match demand ?b ?w with _ => _ end = None =>
    let F := fresh "Hal" in destruct (demand b w) eqn:F; [discriminate|]; apply same_ok in F end.
  destruct (demand (h_id h =? asked) Malformed) eqn:I; [discriminate|]. apply demand_ok in I.
  split; [lia|].
  destruct (h_id th =? asked) eqn:T.
  - right. apply same_ok in A. split; [lia|congruence].
  - destruct (h_id sh =? asked) eqn:S; [|discriminate].
    left. apply same_ok in A. split; [lia|congruence].
Qed.

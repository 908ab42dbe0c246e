(** Attacks on verifiers that leave out one rule of steps 3 to 8. For every hash there are ledgers in which a
    transaction is proven, a different transaction is proven later in its place, and all remaining steps accept.
    Existing verifiers leave out two of these rules: the second half of step 5, and step 8. *)

From Proof Require Export Theorems.

Section Counterexamples.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.

(** A run of accepted states, and a replaced transaction, for a verifier that leaves out one rule. *)
Fixpoint run_without (without : option rule) (s : state) (steps : list accepted_step) : Prop :=
  match steps with
  | [] => True
  | step :: steps =>
      verify_without without s (to step) (by_proof step) (with_parts step) = Accepted /\
      run_without without (to step) steps
  end.
Definition nothing : parts := {| headers := []; inclusions := [] |}.
Definition replaces (without : option rule) (x : N) (X Y : bytes) : Prop :=
  exists s steps p q,
  verify_without without {| s_tx := x; s_hash := X |} s p nothing = Accepted /\
  run_without without s steps /\
  verify_without without {| s_tx := x; s_hash := Y |} (last_of s steps) q nothing = Accepted.

Definition zeros : bytes := repeat "000"%char 32.

(** A header without entries, at second [ts]. *)
Definition tx (id : N) (prev : bytes) (ts bl : N) (root : bytes) : header :=
  {| h_id := id; h_prev := prev; h_ts := ts; h_nentries := 0; h_eh := H []; h_bl := bl; h_root := root;
     h_version := 1; h_truncated := 0; h_extra := [] |}.
Definition of (h : header) : state := {| s_tx := h_id h; s_hash := alh h |}.

Definition proof (s t : header) (inclusion consistency : list bytes) (last : bytes) (path : list bytes)
    (start : state) (terms : list bytes) : dual_proof :=
  {| p_source := Some s; p_target := Some t; p_inclusion := inclusion; p_consistency := consistency;
     p_target_bl_alh := last; p_last_inclusion := path;
     p_linear := Some {| l_source := s_tx start; l_target := h_id t; l_terms := s_hash start :: terms |};
     p_advance := None |}.

(** Two variants of transaction 1, whose times differ by one second. *)
Definition a1 : header := tx 1 (H []) 0 0 zeros.
Definition b1 : header := tx 1 (H []) 1 0 zeros.

Lemma variants_differ : alh a1 = alh b1 -> collision (header_inputs a1 ++ header_inputs b1).
Proof.
  intros E. destruct (collision_or_none (header_inputs a1 ++ header_inputs b1)) as [C|N]; auto.
  exfalso. assert (a1 = b1) as F; [|discriminate].
  apply (alh_injective (fun b => In b (header_inputs a1 ++ header_inputs b1)) N); auto.
  - unfold well_formed, typed, a1, tx, is_digest. cbn -[Nat.eqb H]. rewrite hash_length. reflexivity.
  - unfold well_formed, typed, b1, tx, is_digest. cbn -[Nat.eqb H]. rewrite hash_length. reflexivity.
  - apply Forall_forall. intros b Hb. apply in_or_app. auto.
  - apply Forall_forall. intros b Hb. apply in_or_app. auto.
Qed.

Lemma digest_of m : is_digest (H m) = true.
Proof. unfold is_digest. rewrite hash_length. reflexivity. Qed.
Lemma digest_alh h : is_digest (alh h) = true.
Proof. apply digest_of. Qed.
Lemma digest_inner h : is_digest (inner h) = true.
Proof. apply digest_of. Qed.
Lemma digest_leaf d : is_digest (leaf d) = true.
Proof. apply digest_of. Qed.
Lemma digest_node l r : is_digest (node l r) = true.
Proof. apply digest_of. Qed.

(** The root of a tree with two leaves: the other variant of transaction 1, and [second]. *)
Definition forged (second : header) : bytes := node (leaf (alh b1)) (leaf (alh second)).
Lemma digest_forged second : is_digest (forged second) = true.
Proof. apply digest_of. Qed.

Lemma all_accept l : Forall (fun c => snd c = None) l -> first_refusal l = Accepted.
Proof. induction 1 as [|[at_step why] l E _ IH]; auto. cbn in *. now subst. Qed.

Lemma same a b why : a = b -> demand (eqb a b) why = None.
Proof. intros ->. now rewrite eqb_refl. Qed.

Ltac step :=
  unfold header_hashes, inclusion, consistency, last_inclusion, linear, advance, onward, consistency_check,
    inclusion_form, inclusion_holds, digests, unless, state_typed, well_formed, typed;
  repeat (progress (
    cbn -[eqb is_digest alh inner leaf node forged H zeros];
    rewrite ?digest_alh, ?digest_inner, ?digest_leaf, ?digest_node, ?digest_forged, ?digest_of;
    repeat match goal with |- context [demand (eqb ?a ?b) ?why] => rewrite (same a b why) by reflexivity end));
  try reflexivity.
Ltac accept :=
  unfold verify_without, proof; cbn [p_source p_target];
  apply all_accept; repeat (apply Forall_cons; cbn [snd]); try apply Forall_nil; step.

Definition by_step (s t : header) (p : dual_proof) : accepted_step :=
  {| to := of t; by_proof := p; with_parts := nothing |}.
Ltac replaced :=
  cbn [run_without last_of by_step to by_proof with_parts];
  repeat match goal with |- _ /\ _ => split end; try exact I; accept.

(** Transaction 2 after the first variant: without a tree, and with a tree that contains this variant. *)
Definition plain2 : header := tx 2 (alh a1) 0 0 zeros.
Definition over1 : header := tx 2 (alh a1) 0 1 (leaf (alh a1)).

(** Without step 3: transaction 1 is trusted, and the tree of transaction 3 contains the other variant in its place. *)
Definition behind_b : header := tx 2 (alh b1) 0 0 zeros.
Definition t3 : header := tx 3 (alh behind_b) 0 2 (forged behind_b).
Theorem without_step_3 : replaces (Some InclusionRule) 1 (alh a1) (alh b1).
Proof.
  exists (of a1),
    [by_step a1 t3 (proof a1 t3 [] [] (alh behind_b) [leaf (alh b1)] (of behind_b) [inner t3])],
    (proof a1 a1 [] [] [] [] (of a1) []),
    (proof b1 t3 [leaf (alh behind_b)] [] (alh behind_b) [leaf (alh b1)] (of behind_b) [inner t3]).
  replaced.
Qed.

(** Without step 4: the tree of transaction 2 contains the first variant, and the tree of transaction 3 contains the
    other variant. *)
Definition t4 : header := tx 3 (alh over1) 0 2 (forged over1).
Theorem without_step_4 : replaces (Some ConsistencyRule) 1 (alh a1) (alh b1).
Proof.
  exists (of over1),
    [by_step over1 t4 (proof over1 t4 [] [] (alh over1) [leaf (alh b1)] (of over1) [inner t4])],
    (proof a1 over1 [] [] (alh a1) [] (of a1) [inner over1]),
    (proof b1 t4 [leaf (alh over1)] [] (alh over1) [leaf (alh b1)] (of over1) [inner t4]).
  replaced.
Qed.

(** The last leaf of transaction 2's tree is the other variant of transaction 1. This variant can be proven from
    transaction 3 on. *)
Definition t5 : header := tx 2 (alh a1) 0 1 (leaf (alh b1)).
Definition u5 : header := tx 3 (alh t5) 0 2 (forged t5).

(** Without the first half of step 5 the server sends the trusted transaction as the last leaf. *)
Theorem without_the_first_half_of_step_5 : replaces (Some LastInclusionRule) 1 (alh a1) (alh b1).
Proof.
  exists (of a1),
    [by_step a1 t5 (proof a1 t5 [] [] (alh a1) [] (of a1) [inner t5]);
     by_step t5 u5 (proof t5 u5 [] [leaf (alh b1); leaf (alh t5)] (alh t5) [] (of t5) [inner u5])],
    (proof a1 a1 [] [] [] [] (of a1) []),
    (proof b1 u5 [leaf (alh t5)] [] (alh t5) [] (of t5) [inner u5]).
  replaced.
Qed.

(** Without the second half of step 5 the server sends the other variant as the last leaf. *)
Theorem without_the_second_half_of_step_5 : replaces (Some TreeEndIsSource) 1 (alh a1) (alh b1).
Proof.
  exists (of a1),
    [by_step a1 t5 (proof a1 t5 [] [] (alh b1) [] (of a1) [inner t5]);
     by_step t5 u5 (proof t5 u5 [] [leaf (alh b1); leaf (alh t5)] (alh t5) [leaf (alh b1)] (of t5) [inner u5])],
    (proof a1 a1 [] [] [] [] (of a1) []),
    (proof b1 u5 [leaf (alh t5)] [] (alh t5) [leaf (alh b1)] (of t5) [inner u5]).
  replaced.
Qed.

(** Without step 6: transaction 2 is written after the other variant. *)
Theorem without_step_6 : replaces (Some LinearRule) 1 (alh a1) (alh b1).
Proof.
  exists (of a1),
    [by_step a1 behind_b (proof a1 behind_b [] [] [] [] (of a1) [])],
    (proof a1 a1 [] [] [] [] (of a1) []),
    (proof b1 behind_b [] [] [] [] (of b1) [inner behind_b]).
  replaced.
Qed.

(** Without step 7: the tree of transaction 3 includes the transactions up to the trusted transaction 2, but with the
    other variant of transaction 1. *)
Definition t7 : header := tx 3 (alh plain2) 0 2 (forged plain2).
Theorem without_step_7 : replaces (Some AdvanceRule) 1 (alh a1) (alh b1).
Proof.
  exists (of plain2),
    [by_step plain2 t7 (proof plain2 t7 [] [] (alh plain2) [leaf (alh b1)] (of plain2) [inner t7])],
    (proof a1 plain2 [] [] [] [] (of a1) [inner plain2]),
    (proof b1 t7 [leaf (alh plain2)] [] (alh plain2) [leaf (alh b1)] (of plain2) [inner t7]).
  replaced.
Qed.

(** Without step 8: the tree of transaction 3 ends before the trusted transaction 2. Its only leaf is the other variant
    of transaction 1, which can be proven from transaction 4 on. *)
Definition t8 : header := tx 3 (alh plain2) 0 1 (leaf (alh b1)).
Definition u8 : header := tx 4 (alh t8) 0 2 (forged plain2).
Theorem without_step_8 : replaces (Some OnwardRule) 1 (alh a1) (alh b1).
Proof.
  exists (of plain2),
    [by_step plain2 t8 (proof plain2 t8 [] [] (alh b1) [] (of plain2) [inner t8]);
     by_step t8 u8 (proof t8 u8 [] [leaf (alh b1); leaf (alh plain2)] (alh plain2) [leaf (alh b1)] (of t8) [inner u8])],
    (proof a1 plain2 [] [] [] [] (of a1) [inner plain2]),
    (proof b1 u8 [leaf (alh plain2)] [] (alh plain2) [leaf (alh b1)] (of plain2) [inner t8; inner u8]).
  replaced.
Qed.

End Counterexamples.

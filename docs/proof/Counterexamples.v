(** Two rules that verifiers in use leave out, and what a server does without them: for every hash there are ledgers in
    which a transaction is proven, and later another one in its place, and all remaining steps accept. *)

From Proof Require Export Theorems.

Section Counterexamples.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.

(** The claim for a verifier that leaves out one rule: what is proven, trusted and shown, and the states between. *)
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

(** Two variants of transaction 1, which differ by a second. *)
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

Lemma all_accept l : Forall (fun c => snd c = None) l -> first_refusal l = Accepted.
Proof. induction 1 as [|[at_step why] l E _ IH]; auto. cbn in *. now subst. Qed.

Lemma same a b why : a = b -> demand (eqb a b) why = None.
Proof. intros ->. now rewrite eqb_refl. Qed.

Ltac step :=
  unfold header_hashes, inclusion, consistency, last_inclusion, linear, advance, onward, consistency_check,
    inclusion_form, inclusion_holds, digests, state_typed, well_formed, typed;
  repeat (progress (
    cbn -[eqb is_digest alh inner leaf node H zeros];
    rewrite ?digest_alh, ?digest_inner, ?digest_leaf, ?digest_node, ?digest_of;
    repeat match goal with |- context [demand (eqb ?a ?b) ?why] => rewrite (same a b why) by reflexivity end));
  try reflexivity.
Ltac accept :=
  unfold verify_without, proof; cbn [p_source p_target];
  apply all_accept; repeat (apply Forall_cons; cbn [snd]); try apply Forall_nil; step.

(** Without the second half of step 5: transaction 2's tree holds the other variant of 1 as its last leaf, and
    that variant can be proven from transaction 3 on. *)
Definition t5 : header := tx 2 (alh a1) 0 1 (leaf (alh b1)).
Definition u5 : header := tx 3 (alh t5) 0 2 (node (leaf (alh b1)) (leaf (alh t5))).

Theorem without_the_second_half_of_step_5 : replaces (Some TreeEndIsSource) 1 (alh a1) (alh b1).
Proof.
  exists (of a1),
    [ {| to := of t5; by_proof := proof a1 t5 [] [] (alh b1) [] (of a1) [inner t5];
         with_parts := nothing |};
      {| to := of u5; by_proof := proof t5 u5 [] [leaf (alh b1); leaf (alh t5)] (alh t5) [leaf (alh b1)]
           (of t5) [inner u5];
         with_parts := nothing |} ],
    (proof a1 a1 [] [] [] [] (of a1) []),
    (proof b1 u5 [leaf (alh t5)] [] (alh t5) [leaf (alh b1)] (of t5) [inner u5]).
  cbn [run_without last_of to by_proof with_parts].
  split; [accept|split; [split; [accept|split; [accept|exact I]]|accept]].
Qed.

(** Without step 8: transaction 3's tree ends before the trusted transaction 2, and its only leaf is the other variant
    of 1, which can be proven from transaction 4 on. *)
Definition s8 : header := tx 2 (alh a1) 0 0 zeros.
Definition t8 : header := tx 3 (alh s8) 0 1 (leaf (alh b1)).
Definition u8 : header := tx 4 (alh t8) 0 2 (node (leaf (alh b1)) (leaf (alh s8))).

Theorem without_step_8 : replaces (Some OnwardRule) 1 (alh a1) (alh b1).
Proof.
  exists (of s8),
    [ {| to := of t8; by_proof := proof s8 t8 [] [] (alh b1) [] (of s8) [inner t8];
         with_parts := nothing |};
      {| to := of u8; by_proof := proof t8 u8 [] [leaf (alh b1); leaf (alh s8)] (alh s8) [leaf (alh b1)]
           (of t8) [inner u8];
         with_parts := nothing |} ],
    (proof a1 s8 [] [] [] [] (of a1) [inner s8]),
    (proof b1 u8 [leaf (alh s8)] [] (alh s8) [leaf (alh b1)] (of s8) [inner t8; inner u8]).
  cbn [run_without last_of to by_proof with_parts].
  split; [accept|split; [split; [accept|split; [accept|exact I]]|accept]].
Qed.

End Counterexamples.

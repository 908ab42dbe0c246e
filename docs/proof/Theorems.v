(** The claim: a proven transaction cannot be replaced, after any number of accepted states. *)

From Proof Require Export Facts.

(** Two different byte strings of the list have the same hash. *)
Definition collision {hash : Hash} (l : list bytes) : Prop :=
  exists a b, In a l /\ In b l /\ a <> b /\ H a = H b.

(** States that became trusted one after the other, each by an accepted proof. *)
Record accepted_step := { to : state; by_proof : dual_proof; with_parts : parts }.
Fixpoint run {hash : Hash} (s : state) (steps : list accepted_step) : Prop :=
  match steps with
  | [] => True
  | step :: steps => verify s (to step) (by_proof step) (with_parts step) = Accepted /\ run (to step) steps
  end.
Fixpoint last_of (s : state) (steps : list accepted_step) : state :=
  match steps with [] => s | step :: steps => last_of (to step) steps end.
Fixpoint run_hashed {hash : Hash} (s : state) (steps : list accepted_step) : list bytes :=
  match steps with
  | [] => []
  | step :: steps => hashed s (by_proof step) (with_parts step) ++ run_hashed (to step) steps
  end.

(** It is decidable whether a list contains a collision. So the theorems below can conclude that a collision exists,
    and do not have to assume that there is none. *)
Lemma collision_or_none {hash : Hash} (l : list bytes) :
  collision l \/ forall a b, In a l -> In b l -> H a = H b -> a = b.
Proof.
  assert (D : forall x y : bytes, {x = y} + {x <> y}) by (apply list_eq_dec, ascii_dec).
  destruct (Exists_dec (fun a => Exists (fun b => a <> b /\ H a = H b) l) l) as [E|E].
  { intros a. apply Exists_dec. intros b.
    destruct (D a b), (D (H a) (H b)); [right|right|left|right]; tauto. }
  - left. apply Exists_exists in E. destruct E as (a & Ia & E).
    apply Exists_exists in E. destruct E as (b & Ib & N & E). exists a, b. auto.
  - right. intros a b Ia Ib Hh. destruct (D a b) as [|N]; auto. exfalso. apply E.
    apply Exists_exists. exists a. split; auto. apply Exists_exists. exists b. auto.
Qed.

Section Claim.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

(** The state [s] with the header [h] determines that transaction [x] is [X]: by the tree if it includes [x],
    otherwise by the chain. *)
Definition fixed_by (s : state) (h : header) (x : N) (X : bytes) : Prop :=
  well_formed h = true /\ alh h = s_hash s /\ Forall K (header_inputs h) /\ x <= s_tx s /\
  (x <= h_bl h -> leaf_in K (h_bl h) (h_root h) x X) /\
  (h_bl h < x -> reach K (s_tx s) (s_hash s) x X).
Definition fixed (s : state) (x : N) (X : bytes) : Prop := exists h, fixed_by s h x X.

Lemma fixed_unique s x X Y : fixed s x X -> fixed s x Y -> X = Y.
Proof.
  intros (h & W & A & Kh & B & T & C) (g & W' & A' & Kg & B' & T' & C').
  assert (h = g) by (eapply alh_injective; eauto; congruence). subst.
  destruct (N.le_gt_cases x (h_bl g)).
  - eapply leaf_unique; eauto.
  - eapply reach_unique; eauto.
Qed.

Notation says := (said K).

(** An accepted proof from [x] to [s] fixes [x] in [s]. *)
Lemma proven_is_fixed x X s sh th e :
  says {| s_tx := x; s_hash := X |} s sh th e -> fixed s x X.
Proof.
  intros S. destruct (said_target _ _ _ _ _ _ S) as (W & Hid & A & Kt).
  pose proof (said_ids _ _ _ _ _ _ S) as I. cbn [s_tx] in I.
  exists th. refine (conj W (conj A (conj Kt (conj _ (conj _ _))))); [lia| |].
  - intros Hx. destruct (N.eq_dec x (h_bl th)) as [E|E].
    + (* the last leaf of the tree: second half of step 5 *)
      assert (X = e) as ->.
      { symmetry. apply (said_last_source _ _ _ _ _ _ S); cbn [s_tx]; lia. }
      rewrite E. apply (said_last _ _ _ _ _ _ S). lia.
    + (* step 3 *)
      apply (said_inclusion _ _ _ _ _ _ S). cbn [s_tx]. lia.
  - (* step 6 *)
    intros Hx. pose proof (said_linear _ _ _ _ _ _ S) as L. unfold in_tree in L. cbn [s_tx s_hash] in L.
    replace (x <? h_bl th) with false in L by lia. exact L.
Qed.

(** If a trusted state fixes [x], so does every state that is accepted after it. *)
Lemma fixed_stays s t sh th e x X : says s t sh th e -> fixed s x X -> 1 <= x -> fixed t x X.
Proof.
  intros S (h & W & A & Kh & B & T & C) Hx1.
  destruct (said_source _ _ _ _ _ _ S) as (Ws & Hids & As & Ks).
  destruct (said_target _ _ _ _ _ _ S) as (Wt & Hidt & At & Kt).
  pose proof (said_ids _ _ _ _ _ _ S) as I.
  assert (h = sh) by (eapply alh_injective; eauto; congruence). subst h.
  exists th. refine (conj Wt (conj At (conj Kt (conj _ (conj _ _))))); [lia| |].
  - intros Hx. destruct (N.le_gt_cases x (h_bl sh)) as [Hs|Hs].
    { (* in the source's tree: step 4 *)
      pose proof (said_consistency _ _ _ _ _ _ S ltac:(lia)). eapply leaf_extends; eauto. }
    specialize (C Hs).
    pose proof (said_advance _ _ _ _ _ _ S x) as Adv. unfold in_tree in Adv.
    destruct (s_tx s <? h_bl th) eqn:In.
    + destruct (N.eq_dec x (s_tx s)) as [->|].
      * (* the source itself: step 3 *)
        assert (X = s_hash s) as ->.
        { eapply reach_unique; eauto. constructor. }
        apply (said_inclusion _ _ _ _ _ _ S). lia.
      * (* between: step 7 *)
        destruct Adv as (c & L & R); [lia|].
        assert (X = c) as -> by (eapply reach_unique; eauto). exact L.
    + (* the tree ends at the source, or before it: step 5, step 8 *)
      assert (R : reach K (s_tx s) (s_hash s) (h_bl th) e).
      { destruct (N.eq_dec (h_bl th) (s_tx s)) as [E|E].
        - rewrite (said_last_source _ _ _ _ _ _ S) by lia. rewrite E. constructor.
        - apply (said_onward _ _ _ _ _ _ S). lia. }
      destruct (N.eq_dec x (h_bl th)) as [->|].
      * assert (X = e) as -> by (eapply reach_unique; eauto).
        apply (said_last _ _ _ _ _ _ S). lia.
      * (* between: step 7 *)
        destruct Adv as (c & L & R'); [lia|].
        assert (X = c) as ->.
        { eapply reach_unique; eauto. eapply reach_trans; eauto. }
        exact L.
  - (* after both trees: step 6 *)
    intros Hx. assert (Hs : h_bl sh < x) by lia.
    pose proof (said_linear _ _ _ _ _ _ S) as L. unfold in_tree in L.
    replace (s_tx s <? h_bl th) with false in L by lia.
    eapply reach_trans; eauto.
Qed.

Lemma fixed_through steps : forall s x X,
  run s steps -> Forall K (run_hashed s steps) -> 1 <= x ->
  fixed s x X -> fixed (last_of s steps) x X.
Proof.
  induction steps as [|step steps IH]; intros s x X R Hk Hx F; cbn [run run_hashed last_of] in *; auto.
  destruct R as [V R]. apply Forall_app in Hk. destruct Hk as [Hk1 Hk2].
  destruct (verify_says hash_length K no_collision _ _ _ _ V Hk1) as (sh & th & S).
  eapply IH; eauto. eapply fixed_stays; eauto.
Qed.

Lemma proven_fixed x X s p ps :
  verify {| s_tx := x; s_hash := X |} s p ps = Accepted ->
  Forall K (hashed {| s_tx := x; s_hash := X |} p ps) -> fixed s x X /\ 1 <= x.
Proof.
  intros V Hk. destruct (verify_says hash_length K no_collision _ _ _ _ V Hk) as (sh & th & S).
  split; [eapply proven_is_fixed; eauto|].
  pose proof (said_ids _ _ _ _ _ _ S) as I. cbn [s_tx] in I. lia.
Qed.

End Claim.

(** (2) Over any number of steps: [x] was proven as [X] against [s]. After any number of accepted states, [x] is
    proven as [Y]. Then [X] is [Y], or two of the hashed byte strings collide. *)
Theorem no_equivocation {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall x X Y s steps p ps q qs,
  let proven := {| s_tx := x; s_hash := X |} in
  let shown := {| s_tx := x; s_hash := Y |} in
  verify proven s p ps = Accepted ->
  run s steps ->
  verify shown (last_of s steps) q qs = Accepted ->
  X = Y \/ collision (hashed proven p ps ++ run_hashed s steps ++ hashed shown q qs).
Proof.
  intros x X Y s steps p ps q qs proven shown P R Q.
  set (l := hashed proven p ps ++ run_hashed s steps ++ hashed shown q qs).
  destruct (collision_or_none l) as [C|N]; [now right|left].
  assert (forall m : list bytes, incl m l -> Forall (fun b => In b l) m) as Incl.
  { intros m I. apply Forall_forall. exact I. }
  destruct (proven_fixed hash_length (fun b => In b l) N x X s p ps P) as [F Hx].
  { apply Incl. unfold l. apply incl_appl, incl_refl. }
  destruct (proven_fixed hash_length (fun b => In b l) N x Y (last_of s steps) q qs Q) as [G _].
  { apply Incl. unfold l. apply incl_appr, incl_appr, incl_refl. }
  eapply fixed_unique with (K := fun b => In b l) (s := last_of s steps) (x := x); eauto.
  eapply fixed_through; eauto.
  apply Incl. unfold l. apply incl_appr, incl_appl, incl_refl.
Qed.

(** (1) Over one step: the claim of verification.md. *)
Theorem no_equivocation_in_one_step {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall x X Y s t p ps between parts_between q qs,
  let proven := {| s_tx := x; s_hash := X |} in
  let shown := {| s_tx := x; s_hash := Y |} in
  verify proven s p ps = Accepted ->
  verify s t between parts_between = Accepted ->
  verify shown t q qs = Accepted ->
  X = Y \/ collision (hashed proven p ps ++ hashed s between parts_between ++ hashed shown q qs).
Proof.
  intros x X Y s t p ps between parts_between q qs proven shown P B Q.
  pose proof (no_equivocation hash_length x X Y s
    [{| to := t; by_proof := between; with_parts := parts_between |}] p ps q qs P) as E.
  cbn [run run_hashed last_of to by_proof with_parts] in E. rewrite app_nil_r in E. auto.
Qed.

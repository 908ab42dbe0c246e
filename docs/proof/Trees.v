(** Consequences of an accepted inclusion or consistency proof for a tree, if no two of the hashed byte strings
    collide. [K] contains the hashed byte strings. *)

From Proof Require Export Ledger.

(** [n] halved [level] times: for a size, the number of complete subtrees of that level; for the last index of the
    leaves, the last index of that level. *)
Fixpoint up (level : nat) (n : N) : N :=
  match level with O => n | S level => up level n / 2 end.

Lemma up_half level n : up level (n / 2) = up level n / 2.
Proof. induction level; simpl; auto. now rewrite IHlevel. Qed.

Lemma up_mono level n m : n <= m -> up level n <= up level m.
Proof. induction level; simpl; intros Hl; auto. specialize (IHlevel Hl). lia. Qed.

Lemma up_before level n : 0 < n -> up level n = up level (n - 1) \/ up level n = up level (n - 1) + 1.
Proof. induction level; simpl; intros Hl; [lia|]. specialize (IHlevel Hl). lia. Qed.

Section Trees.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

Lemma node_input_injective l r l' r' :
  length l = length l' -> node_input l r = node_input l' r' -> l = l' /\ r = r'.
Proof. unfold node_input. intros Hl He. injection He; intros. now apply app_same_length. Qed.

Lemma node_injective l r l' r' :
  K (node_input l r) -> K (node_input l' r') -> length l = length l' ->
  node l r = node l' r' -> l = l' /\ r = r'.
Proof. intros. apply node_input_injective; auto. Qed.

(** In the tree of [n] leaves with the root [root], the node with index [i] of a level has the hash [h]. The path
    from the root to this node leads through hashed nodes. *)
Inductive at_ (n : N) (root : bytes) : nat -> N -> bytes -> Prop :=
| at_top level i : up level (n - 1) = 0 -> i = 0 -> at_ n root level i root
| at_left level i j l r :
    at_ n root (S level) j (node l r) -> K (node_input l r) ->
    length l = 32%nat -> length r = 32%nat ->
    i = 2 * j -> 2 * j + 1 <= up level (n - 1) -> at_ n root level i l
| at_right level i j l r :
    at_ n root (S level) j (node l r) -> K (node_input l r) ->
    length l = 32%nat -> length r = 32%nat ->
    i = 2 * j + 1 -> 2 * j + 1 <= up level (n - 1) -> at_ n root level i r
| at_only level i j h : (* a node without a sibling moves up unchanged *)
    at_ n root (S level) j h -> i = 2 * j -> 2 * j = up level (n - 1) -> at_ n root level i h.

Lemma at_bound n root level i h : at_ n root level i h -> i <= up level (n - 1).
Proof. destruct 1; lia. Qed.

Lemma at_root n root level i h : at_ n root level i h -> up level (n - 1) = 0 -> h = root /\ i = 0.
Proof.
  intros A; induction A as [| | |level i j h A IH Hi Hj]; intros Hz; auto; try lia.
  destruct IH as [Hh Hz']; [simpl; now rewrite Hz|]. split; [auto|lia].
Qed.

Lemma at_unique n root level i h h' : at_ n root level i h -> at_ n root level i h' -> h = h'.
Proof.
  intros A; revert h'.
  induction A as [level i Hz Hi|level i j l r A IH Hk Hl Hr Hi Hj|level i j l r A IH Hk Hl Hr Hi Hj
                 |level i j h A IH Hi Hj]; intros h' B.
  - symmetry. now destruct (at_root _ _ _ _ _ B).
  - inversion B as [? ? Hz' Hi'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'
                   |? ? j' ? A' Hi' Hj']; subst; try lia.
    assert (j' = j) by lia; subst. apply IH in A'. apply node_injective in A'; auto; try congruence.
    tauto.
  - inversion B as [? ? Hz' Hi'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'
                   |? ? j' ? A' Hi' Hj']; subst; try lia.
    assert (j' = j) by lia; subst. apply IH in A'. apply node_injective in A'; auto; try congruence.
    tauto.
  - inversion B as [? ? Hz' Hi'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'|? ? j' l' r' A' Hk' Hl' Hr' Hi' Hj'
                   |? ? j' ? A' Hi' Hj']; subst; try lia.
    + destruct (at_root _ _ _ _ _ A); auto. simpl. lia.
    + assert (j' = j) by lia; subst. auto.
Qed.

(** ** Inclusion *)

Lemma path_holds : forall levels level n root i h terms,
  up level (n - 1) < 2 ^ N.of_nat levels ->
  i <= up level (n - 1) ->
  length terms = length (path levels i (up level (n - 1))) ->
  Forall (fun t => length t = 32%nat) terms -> length h = 32%nat ->
  Forall K (climb_inputs (path levels i (up level (n - 1))) terms h) ->
  root = climb (path levels i (up level (n - 1))) terms h ->
  at_ n root level i h.
Proof.
  induction levels; intros level n root i h terms Hb Hi Hlen Hd Hh Hk Hr.
  - simpl in *. subst. apply at_top; lia.
  - simpl path in *.
    assert (Hb' : up (S level) (n - 1) < 2 ^ N.of_nat levels).
    { rewrite Nat2N.inj_succ, N.pow_succ_r' in Hb. simpl. apply N.div_lt_upper_bound; lia. }
    destruct (up level (n - 1) =? 0) eqn:E0.
    { simpl in Hr. subst. apply at_top; lia. }
    destruct (N.odd i) eqn:Eo.
    { destruct terms as [|t terms]; [discriminate|]. simpl in *. inversion Hd; inversion Hk; subst.
      assert (Hx : i = 2 * (i / 2) + 1).
      { rewrite (N.div_mod' i 2) at 1. rewrite <- N.bit0_mod, N.bit0_odd, Eo. reflexivity. }
      eapply at_right with (j := i / 2); eauto; try lia.
      eapply IHlevels with (terms := terms); eauto; simpl; try lia. }
    assert (Hx : i = 2 * (i / 2)).
    { rewrite (N.div_mod' i 2) at 1. rewrite <- N.bit0_mod, N.bit0_odd, Eo. simpl. lia. }
    destruct (i =? up level (n - 1)) eqn:El.
    { eapply at_only with (j := i / 2); try lia.
      eapply IHlevels with (terms := terms); eauto; simpl; lia. }
    destruct terms as [|t terms]; [discriminate|]. simpl in *. inversion Hd; inversion Hk; subst.
    eapply at_left with (j := i / 2); eauto; try lia.
    eapply IHlevels with (terms := terms); eauto; simpl; try lia.
Qed.

(** The leaf at [position] of the tree is the leaf of [data]. *)
Definition leaf_in (size : N) (root : bytes) (position : N) (data : bytes) : Prop :=
  1 <= position <= size /\ K (leaf_input data) /\ at_ size root 0 (position - 1) (leaf data).

Lemma leaf_unique size root position d d' :
  leaf_in size root position d -> leaf_in size root position d' -> d = d'.
Proof.
  intros (_ & Hk & Ha) (_ & Hk' & Ha').
  pose proof (at_unique _ _ _ _ _ _ Ha Ha') as E.
  apply no_collision in E; auto. unfold leaf_input in E. congruence.
Qed.

Lemma digests_ok due terms :
  digests due terms = None ->
  N.of_nat (length terms) = due /\ Forall (fun t => length t = 32%nat) terms.
Proof.
  unfold digests, demand.
  destruct (N.of_nat (length terms) =? due) eqn:E; [|discriminate].
  destruct (forallb is_digest terms) eqn:F; [|discriminate].
  intros _. split; [lia|]. apply Forall_forall. rewrite forallb_forall in F. intros t Ht.
  apply F, Nat.eqb_eq in Ht. exact Ht.
Qed.

Lemma demand_ok b why : demand b why = None -> b = true.
Proof. now destruct b. Qed.

Lemma same_ok a b why : demand (eqb a b) why = None -> a = b.
Proof. intros E. now apply eqb_eq, demand_ok with why. Qed.

Lemma inclusion_in_levels lv position size terms data root :
  N.of_nat lv = 64 -> size < 2 ^ 64 -> 1 <= position <= size ->
  length terms = length (path lv (position - 1) (size - 1)) ->
  Forall (fun t => length t = 32%nat) terms ->
  root = climb (path lv (position - 1) (size - 1)) terms (leaf data) ->
  Forall K (climb_inputs (path lv (position - 1) (size - 1)) terms (leaf data)) ->
  at_ size root 0 (position - 1) (leaf data).
Proof.
  intros Hlv Hs Hp Hl Hd Hr Hk.
  apply (path_holds lv 0) with (terms := terms); auto.
  - simpl up. rewrite Hlv. lia.
  - simpl up. lia.
  - apply hash_length.
Qed.

Lemma inclusion_ok position size terms data root :
  below_u64 size = true ->
  inclusion_form position size terms = None ->
  inclusion_holds position size terms data root = None ->
  Forall K (inclusion_inputs position size terms data) ->
  leaf_in size root position data.
Proof.
  intros Hs Hf Hh Hk. unfold inclusion_form in Hf.
  destruct (demand ((1 <=? position) && (position <=? size)) Malformed) eqn:E; [discriminate|].
  apply demand_ok in E. apply N.ltb_lt in Hs.
  assert (Hp : 1 <= position <= size) by (clear - E; lia).
  apply digests_ok in Hf. destruct Hf as [Hl Hd]. apply Nat2N.inj in Hl.
  apply same_ok in Hh. apply Forall_cons_iff in Hk. destruct Hk as [Hk Hks].
  split; [exact Hp|split; [exact Hk|]].
  unfold inclusion_path in *.
  exact (inclusion_in_levels levels position size terms data root eq_refl Hs Hp Hl Hd Hh Hks).
Qed.

(** ** Consistency *)

(** Both trees have the same peak at [level]. A peak is a complete subtree of the old tree whose parent is not
    complete. There is one peak for each bit of the size that is 1. *)
Definition peaks_agree (m : N) (old : bytes) (n : N) (new : bytes) (level : nat) : Prop :=
  N.odd (up level m) = true ->
  exists h, at_ m old level (up level m - 1) h /\ at_ n new level (up level m - 1) h.

Lemma odd_half x : N.odd x = true -> x = 2 * (x / 2) + 1.
Proof. intros E. rewrite (N.div_mod' x 2) at 1. rewrite <- N.bit0_mod, N.bit0_odd, E. reflexivity. Qed.
Lemma even_half x : N.odd x = false -> x = 2 * (x / 2).
Proof. intros E. rewrite (N.div_mod' x 2) at 1. rewrite <- N.bit0_mod, N.bit0_odd, E. simpl. lia. Qed.

Lemma climb_both_holds : forall levels level m old_root n new_root old new terms,
  0 < m -> m <= n ->
  up level (n - 1) < 2 ^ N.of_nat levels ->
  length terms = length (path levels (up level (m - 1)) (up level (n - 1))) ->
  Forall (fun t => length t = 32%nat) terms -> length old = 32%nat -> length new = 32%nat ->
  Forall K (climb_both_inputs (path levels (up level (m - 1)) (up level (n - 1))) terms old new) ->
  (old_root, new_root) = climb_both (path levels (up level (m - 1)) (up level (n - 1))) terms old new ->
  at_ m old_root level (up level (m - 1)) old /\
  at_ n new_root level (up level (m - 1)) new /\
  forall above, (level <= above)%nat -> up above m = up above (m - 1) ->
    peaks_agree m old_root n new_root above.
Proof.
  induction levels; intros level m oldr n newr old new terms Hm Hmn Hb Hlen Hd Ho Hn Hk Hr.
  - simpl in Hb, Hr. injection Hr; intros; subst.
    pose proof (up_mono level (m - 1) (n - 1) ltac:(lia)) as Hle.
    repeat split; try (apply at_top; lia).
    intros above Ha He Hodd. exfalso.
    assert (Hz : up above (m - 1) = 0).
    { clear - Ha Hle Hb. induction Ha; simpl; lia. }
    rewrite He, Hz in Hodd. discriminate.
  - pose proof (up_mono level (m - 1) (n - 1) ltac:(lia)) as Hle.
    assert (Hb' : up (S level) (n - 1) < 2 ^ N.of_nat levels).
    { rewrite Nat2N.inj_succ, N.pow_succ_r' in Hb. simpl. apply N.div_lt_upper_bound; lia. }
    simpl path in *.
    destruct (up level (n - 1) =? 0) eqn:E0.
    { simpl in Hr. injection Hr; intros; subst.
      repeat split; try (apply at_top; lia).
      intros above Ha He Hodd. exfalso.
      assert (Hz : up above (m - 1) = 0).
      { clear - Ha Hle E0. induction Ha; simpl; lia. }
      rewrite He, Hz in Hodd. discriminate. }
    destruct (N.odd (up level (m - 1))) eqn:Eo.
    { destruct terms as [|t terms]; [discriminate|]. simpl in *.
      inversion Hd; inversion Hk as [|? ? Hk1 Hk2]; inversion Hk2 as [|? ? Hk3 Hk4]; subst.
      pose proof (odd_half _ Eo) as Hx.
      destruct (IHlevels (S level) m oldr n newr (node t old) (node t new) terms)
        as (A & B & C); auto; try (apply hash_length); simpl; try lia.
      simpl in A, B.
      split; [|split].
      - eapply at_right; eauto; lia.
      - eapply at_right; eauto; lia.
      - intros above Ha He. destruct (Nat.eq_dec above level).
        + subst. intros _. exists t. rewrite He.
          split; (eapply at_left; [eassumption| | | | |]; eauto; lia).
        + apply C; auto; lia. }
    pose proof (even_half _ Eo) as Hx.
    destruct (up level (m - 1) =? up level (n - 1)) eqn:El.
    { destruct (IHlevels (S level) m oldr n newr old new terms) as (A & B & C); auto; simpl; try lia.
      simpl in A, B.
      split; [|split].
      - eapply at_only; eauto; lia.
      - eapply at_only; eauto; lia.
      - intros above Ha He. destruct (Nat.eq_dec above level).
        + subst. intros Hodd. rewrite He in Hodd. congruence.
        + apply C; auto; lia. }
    destruct terms as [|t terms]; [discriminate|]. simpl in *.
    inversion Hd; inversion Hk; subst.
    destruct (IHlevels (S level) m oldr n newr old (node new t) terms)
      as (A & B & C); auto; try (apply hash_length); simpl; try lia.
    simpl in A, B.
    split; [|split].
    + eapply at_only; eauto; lia.
    + eapply at_left; eauto; lia.
    + intros above Ha He. destruct (Nat.eq_dec above level).
      * subst. intros Hodd. rewrite He in Hodd. congruence.
      * apply C; auto; lia.
Qed.

Lemma from_old_tree_holds : forall levels level m old_root n new_root start terms,
  0 < m -> m < n ->
  up level m = up level (m - 1) + 1 ->
  (forall below, (below < level)%nat -> N.odd (up below m) = false) ->
  up level (n - 1) < 2 ^ N.of_nat levels ->
  length terms = length (path_from_old_tree levels (up level (m - 1)) (up level (n - 1))) ->
  Forall (fun t => length t = 32%nat) terms -> length start = 32%nat ->
  Forall K (climb_both_inputs (path_from_old_tree levels (up level (m - 1)) (up level (n - 1)))
              terms start start) ->
  (old_root, new_root) =
    climb_both (path_from_old_tree levels (up level (m - 1)) (up level (n - 1))) terms start start ->
  forall any, peaks_agree m old_root n new_root any.
Proof.
  induction levels; intros level m oldr n newr start terms Hm Hmn He Hbelow Hb Hlen Hd Hs Hk Hr any.
  - exfalso. simpl in Hb. pose proof (up_mono level m (n - 1) ltac:(lia)). lia.
  - cbn [path_from_old_tree] in *.
    destruct (N.odd (up level (m - 1))) eqn:Eo.
    + pose proof (odd_half _ Eo) as Hx.
      eapply (IHlevels (S level)) with (terms := terms) (start := start); eauto; simpl; try lia.
      * intros below Hlt. destruct (Nat.eq_dec below level).
        -- subst. rewrite He. rewrite <- N.negb_even, N.even_add, <- N.negb_odd, Eo. reflexivity.
        -- apply Hbelow. lia.
      * rewrite Nat2N.inj_succ, N.pow_succ_r' in Hb. apply N.div_lt_upper_bound; lia.
    + pose proof (even_half _ Eo) as Hx.
      destruct (climb_both_holds (S levels) level m oldr n newr start start terms)
        as (A & B & C); auto; try lia.

      destruct (lt_eq_lt_dec any level) as [[Hlt| ->]|Hgt].
      * intros Hodd. rewrite Hbelow in Hodd; [discriminate|auto].
      * intros _. exists start. rewrite He, N.add_sub. split; [exact A|exact B].
      * apply C; [lia|].
        (* above the first peak, the two values are equal *)
        clear - Hgt He Hx.
        assert (Hd : forall d, up (d + S level) m = up (d + S level) (m - 1)).
        { induction d as [|d IH]; [simpl; lia|simpl in *; now rewrite IH]. }
        replace any with ((any - S level) + S level)%nat by lia. apply Hd.
Qed.

(** The new tree contains all complete subtrees of the old tree. *)
Definition extends (m : N) (old : bytes) (n : N) (new : bytes) : Prop :=
  m <= n /\ forall level i h, at_ m old level i h -> i < up level m -> at_ n new level i h.

Lemma extends_refl m root : extends m root m root.
Proof. split; auto. lia. Qed.

Lemma extends_trans m a n b o c : extends m a n b -> extends n b o c -> extends m a o c.
Proof.
  intros [L1 E1] [L2 E2]. split; [lia|]. intros. apply E2; auto.
  pose proof (up_mono level m n L1). lia.
Qed.

Lemma peaks_extend m old n new :
  0 < m -> m < n -> (forall level, peaks_agree m old n new level) -> extends m old n new.
Proof.
  intros Hm Hmn P. split; [lia|].
  assert (Peak : forall level i h, at_ m old level i h -> N.odd (up level m) = true ->
                 i = up level m - 1 -> at_ n new level i h).
  { intros level i h A Ho ->. destruct (P level Ho) as (x & Ax & Bx).
    now rewrite (at_unique _ _ _ _ _ _ A Ax). }
  intros level i h A.
  induction A as [level i Hz Hi|level i j l r A IH Hk Hl Hr Hi Hj|level i j l r A IH Hk Hl Hr Hi Hj
                 |level i j h A IH Hi Hj]; intros Hc;
    pose proof (up_before level m Hm) as Hb;
    pose proof (up_mono level (m - 1) (n - 1) ltac:(lia)) as Hle.
  - (* the root of the old tree *)
    eapply Peak; [now constructor| |lia]. replace (up level m) with 1 by lia. reflexivity.
  - destruct (N.odd (up level m)) eqn:Ho.
    + pose proof (odd_half _ Ho).
      destruct (N.eq_dec i (up level m - 1)).
      * eapply Peak; eauto. eapply at_left; eauto.
      * eapply at_left; eauto; try lia. apply IH. simpl. lia.
    + pose proof (even_half _ Ho). eapply at_left; eauto; try lia. apply IH. simpl. lia.
  - eapply at_right; eauto; try lia. apply IH. simpl. lia.
  - eapply Peak; [eapply at_only; eauto| |lia].
    replace (up level m) with (1 + 2 * j) by lia. rewrite N.odd_add_mul_2. reflexivity.
Qed.

Lemma consistency_ok old old_root new new_root terms :
  0 < old -> old <= new -> below_u64 new = true ->
  consistency_check old old_root new new_root terms = None ->
  Forall K (consistency_inputs old new terms) ->
  extends old old_root new new_root.
Proof.
  intros Ho Hn Hu Hc Hk. unfold consistency_check, consistency_inputs in *.
  destruct (old =? new) eqn:E.
  - assert (old = new) by lia. subst.
    destruct (digests _ _); [discriminate|].
    destruct (demand (eqb old_root new_root) Inconsistent) eqn:F; [discriminate|].
    apply same_ok in F. subst. apply extends_refl.
  - assert (old < new) by lia.
    destruct (digests (N.of_nat (length (consistency_path old new)) + 1) terms) eqn:D; [discriminate|].
    apply digests_ok in D. destruct D as [Dl Dd].
    destruct terms as [|start rest]; [discriminate|].
    destruct (climb_both (consistency_path old new) rest start start) as [a b] eqn:Ec.
    destruct (demand (eqb old_root a) Inconsistent) eqn:Ea; [discriminate|].
    apply same_ok in Ea. apply same_ok in Hc. subst.
    inversion Dd; subst. unfold below_u64 in Hu.
    apply peaks_extend; auto. intros any.
    unfold consistency_path in *.
    assert (Hlv : N.of_nat levels = 64) by reflexivity.
    generalize dependent levels. intros lv Dl Ec Hk Hlv.
    change (old - 1) with (up 0 (old - 1)) in *. change (new - 1) with (up 0 (new - 1)) in *.
    eapply (from_old_tree_holds lv 0) with (terms := rest) (start := start); eauto.
    + simpl. lia.
    + intros below Hlt. lia.
    + simpl up. rewrite Hlv. lia.
    + apply Nat2N.inj, N.succ_inj. rewrite <- Nat2N.inj_succ, <- N.add_1_r. exact Dl.
Qed.

Lemma leaf_extends m old n new position d :
  extends m old n new -> leaf_in m old position d -> leaf_in n new position d.
Proof.
  intros [L E] (B & Hk & A). repeat split; try lia; auto. apply E; auto. simpl. lia.
Qed.

End Trees.

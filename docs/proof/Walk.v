(** A walk over all headers (the sweep of docs/values.md) also fixes transactions that were never proven one by one. *)

From Proof Require Export Values.

Section Walk.
Context {hash : Hash}.

Fixpoint numbered (id : N) (l : list header) : bool :=
  match l with [] => true | h :: l => well_formed h && (h_id h =? id) && numbered (id + 1) l end.

(** The leaves of a tree over the first [size] transactions. *)
Definition first_leaves (size : N) (l : list header) : list bytes :=
  map (fun h => leaf (alh h)) (firstn (N.to_nat size) l).

(** [l] contains the headers of transactions 1 to [s]. Each contains the previous Alh, the last is the header of [s],
    and its tree is the tree over the first of these transactions. *)
Definition walked (s : state) (l : list header) : check :=
  demand (numbered 1 l && (N.of_nat (length l) =? s_tx s)) Malformed ;;
  follow (s_hash s) (H []) l ;;
  match rev l with
  | [] => Some Malformed
  | h :: _ =>
      demand (h_bl h <? h_id h) Malformed ;;
      if h_bl h =? 0 then None
      else demand (eqb (h_root h) (root_of (N.to_nat (h_bl h)) (first_leaves (h_bl h) l))) Inconsistent
  end.

Definition walk_inputs (l : list header) : list bytes :=
  flat_map header_inputs l ++ map (fun h => leaf_input (alh h)) l ++
  match rev l with
  | [] => []
  | h :: _ => root_inputs (N.to_nat (h_bl h)) (first_leaves (h_bl h) l)
  end.

Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

Lemma numbered_nth : forall l id i h, numbered id l = true -> nth_error l i = Some h ->
  well_formed h = true /\ h_id h = id + N.of_nat i /\ consecutive (id + N.of_nat i + 1) (skipn (S i) l).
Proof.
  induction l as [|g l IH]; intros id i h Hn Hi; [destruct i; discriminate|].
  cbn [numbered] in Hn. apply andb_true_iff in Hn. destruct Hn as [Hg Hn].
  apply andb_true_iff in Hg. destruct Hg as [W I]. apply N.eqb_eq in I.
  destruct i as [|i]; cbn [nth_error skipn] in *.
  - injection Hi as ->. split; [auto|split; [lia|]]. replace (id + N.of_nat 0 + 1) with (id + 1) by lia.
    clear - Hn. revert Hn. generalize (id + 1). induction l as [|g l IH]; intros n Hn; cbn in *; auto.
    apply andb_true_iff in Hn. destruct Hn as [Hg Hn]. apply andb_true_iff in Hg. destruct Hg as [W I].
    split; [auto|split; [now apply N.eqb_eq|auto]].
  - destruct (IH (id + 1) i h Hn Hi) as (W' & I' & C). split; [auto|split; [lia|]].
    replace (id + N.of_nat (S i) + 1) with (id + 1 + N.of_nat i + 1) by lia. exact C.
Qed.

Lemma follow_nth : forall l e a i h, follow e a l = None -> nth_error l i = Some h ->
  follow e (alh h) (skipn (S i) l) = None.
Proof.
  induction l as [|g l IH]; intros e a i h F Hi; [destruct i; discriminate|].
  cbn [follow] in F. destruct (demand (eqb a (h_prev g)) Inconsistent) eqn:E; [discriminate|].
  destruct i as [|i]; cbn [nth_error skipn] in *.
  - injection Hi as ->. exact F.
  - eapply IH; eauto.
Qed.

Lemma flat_map_skipn : forall n (l : list header),
  Forall K (flat_map header_inputs l) -> Forall K (flat_map header_inputs (skipn n l)).
Proof.
  induction n; intros [|h l] F; cbn [skipn] in *; auto. apply IHn.
  cbn [flat_map] in F. now apply Forall_app in F.
Qed.

Lemma header_inputs_nth l i h :
  Forall K (flat_map header_inputs l) -> nth_error l i = Some h -> Forall K (header_inputs h).
Proof.
  intros F Hi. apply Forall_forall. intros b Hb. rewrite Forall_forall in F. apply F.
  apply in_flat_map. exists h. split; auto. eapply nth_error_In; eauto.
Qed.

Lemma walked_is_fixed s l i h :
  walked s l = None -> Forall K (walk_inputs l) -> below_u64 (s_tx s) = true -> nth_error l i = Some h ->
  fixed K s (N.of_nat i + 1) (alh h).
Proof.
  unfold walked, walk_inputs. intros W Kw U Hi.
  destruct (demand (numbered 1 l && _) Malformed) eqn:D; [discriminate|].
  apply demand_ok, andb_true_iff in D. destruct D as [Num Len]. apply N.eqb_eq in Len.
  destruct (follow (s_hash s) (H []) l) eqn:F; [discriminate|].
  destruct (rev l) as [|g r] eqn:R; [discriminate|].
  assert (L : l = rev r ++ [g]).
  { rewrite <- (rev_involutive l), R. reflexivity. }
  destruct (demand (h_bl g <? h_id g) Malformed) eqn:B; [discriminate|]. apply demand_ok, N.ltb_lt in B.
  apply Forall_app in Kw. destruct Kw as [K1 Kw]. apply Forall_app in Kw. destruct Kw as [K2 K3].
  assert (Hg : nth_error l (length r) = Some g).
  { rewrite L, <- (rev_length r). now rewrite nth_error_app2, Nat.sub_diag by lia. }
  assert (Ll : length l = S (length r)) by (rewrite L, app_length, rev_length; cbn [length]; lia).
  destruct (numbered_nth _ _ _ _ Num Hg) as (Wg & Ig & _).
  pose proof (follow_nth _ _ _ _ _ F Hg) as Fg.
  rewrite skipn_all2 in Fg by lia. cbn [follow] in Fg. apply same_ok in Fg.
  destruct (numbered_nth _ _ _ _ Num Hi) as (Wh & Ih & Ch).
  assert (Hin : (i < length l)%nat) by (apply nth_error_Some; congruence).
  exists g. refine (conj Wg (conj (eq_sym Fg) (conj _ (conj _ (conj _ _))))).
  - eapply header_inputs_nth; eauto.
  - lia.
  - intros Hx. destruct (h_bl g =? 0) eqn:Z; [lia|].
    apply same_ok in W.
    assert (Hf : nth_error (first_leaves (h_bl g) l) i = Some (leaf (alh h))).
    { unfold first_leaves. rewrite nth_error_map.
      assert (E : nth_error (firstn (N.to_nat (h_bl g)) l) i = nth_error l i).
      { rewrite <- (firstn_skipn (N.to_nat (h_bl g)) l) at 2. rewrite nth_error_app1; auto.
        rewrite firstn_length. lia. }
      now rewrite E, Hi. }
    assert (Fl : length (first_leaves (h_bl g) l) = N.to_nat (h_bl g)).
    { unfold first_leaves. rewrite map_length, firstn_length. lia. }
    split; [lia|split].
    + rewrite Forall_forall in K2. apply K2.
      apply (in_map (fun h => leaf_input (alh h))). eapply nth_error_In; eauto.
    + rewrite W. replace (N.of_nat i + 1 - 1) with (N.of_nat i) by lia.
      eapply root_at; eauto.
      * cbn [up]. rewrite Fl. lia.
      * rewrite Fl. lia.
      * unfold first_leaves. apply Forall_forall. intros d Hd. apply in_map_iff in Hd.
        destruct Hd as (y & <- & _). apply hash_length.
  - intros Hx.
    pose proof (follow_nth _ _ _ _ _ F Hi) as Fh.
    eapply follow_ok; eauto.
    + replace (N.of_nat i + 1 + 1) with (1 + N.of_nat i + 1) by lia. exact Ch.
    + rewrite skipn_length. lia.
    + apply flat_map_skipn. exact K1.
Qed.

End Walk.

(** (5) A walk has read all headers up to [s], and [x] is one of these transactions. If [x] is proven against [s], or
    against a state that is accepted after [s], it is the transaction that the walk has read, or two of the hashed byte
    strings collide. *)
Theorem walked_transactions_stay {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall s l steps x Y q qs,
  let shown := {| s_tx := x; s_hash := Y |} in
  below_u64 (s_tx s) = true ->
  walked s l = None -> run s steps -> verify shown (last_of s steps) q qs = Accepted -> x <= s_tx s ->
  exists h, nth_error l (N.to_nat (x - 1)) = Some h /\ h_id h = x /\
    (Y = alh h \/ collision (walk_inputs l ++ run_hashed s steps ++ hashed shown q qs)).
Proof.
  intros s l steps x Y q qs shown U W R Q Hx.
  assert (Pos : 1 <= x).
  { unfold shown, verify, verify_without in Q.
    destruct (p_source q) as [sh|]; [|discriminate]. destruct (p_target q) as [th|]; [|discriminate].
    apply first_refusal_accepted in Q. apply Forall_inv_tail, Forall_inv in Q. cbn [snd s_tx] in Q.
    unfold ids in Q. cbn [s_tx] in Q.
    repeat match type of Q with match demand ?b ?w with _ => _ end = None =>
      let F := fresh "I" in destruct (demand b w) eqn:F; [discriminate|]; apply demand_ok in F end.
    lia. }
  assert (Len : N.of_nat (length l) = s_tx s /\ numbered 1 l = true).
  { unfold walked in W. destruct (demand (numbered 1 l && _) Malformed) eqn:D; [discriminate|].
    apply demand_ok, andb_true_iff in D. destruct D. split; [now apply N.eqb_eq|auto]. }
  destruct Len as [Len Num].
  destruct (nth_error l (N.to_nat (x - 1))) as [h|] eqn:Hh.
  2: { apply nth_error_None in Hh. lia. }
  exists h. split; auto. destruct (numbered_nth _ _ _ _ Num Hh) as (_ & Ih & _). split; [lia|].
  set (all := walk_inputs l ++ run_hashed s steps ++ hashed shown q qs).
  destruct (collision_or_none all) as [C|N]; [now right|left].
  assert (Incl : forall m : list bytes, incl m all -> Forall (fun b => In b all) m).
  { intros m I. apply Forall_forall. exact I. }
  assert (F : fixed (fun b => In b all) s x (alh h)).
  { replace x with (N.of_nat (N.to_nat (x - 1)) + 1) by lia.
    eapply walked_is_fixed; eauto. apply Incl. unfold all. apply incl_appl, incl_refl. }
  assert (G : fixed (fun b => In b all) (last_of s steps) x Y).
  { eapply proven_fixed; eauto. apply Incl. unfold all. apply incl_appr, incl_appr, incl_refl. }
  symmetry. eapply fixed_unique with (K := fun b => In b all) (s := last_of s steps) (x := x); eauto.
  eapply fixed_through; eauto. apply Incl. unfold all. apply incl_appr, incl_appl, incl_refl.
Qed.

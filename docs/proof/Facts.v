(** Consequences of each accepted step, if no two of the hashed byte strings collide. *)

From Proof Require Export Steps Chains.

Fixpoint consecutive (id : N) (l : list header) : Prop :=
  match l with
  | [] => True
  | h :: l => well_formed h = true /\ h_id h = id /\ consecutive (id + 1) l
  end.

Lemma chain_ok : forall fuel from id last l,
  chain fuel from id last = inl l -> id <= last + 1 ->
  consecutive id l /\ id + N.of_nat (length l) = last + 1.
Proof.
  induction fuel; intros from id last l E Hid; cbn [chain] in E; destruct (last <? id) eqn:L.
  - injection E as <-. simpl. split; auto. lia.
  - discriminate.
  - injection E as <-. simpl. split; auto. lia.
  - destruct (lookup id from) as [h|]; [|discriminate].
    destruct (well_formed h && (h_id h =? id)) eqn:W; [|discriminate].
    destruct (chain fuel from (id + 1) last) as [rest|] eqn:R; [|discriminate].
    injection E as <-. apply IHfuel in R; [|lia]. destruct R as [C Hl].
    apply andb_true_iff in W. destruct W as [W1 W2].
    cbn [consecutive length]. split; [|lia]. split; [|split]; auto. lia.
Qed.

Fixpoint forms (size id : N) (paths : list (list bytes)) : Prop :=
  match paths with
  | [] => True
  | path :: paths => inclusion_form id size path = None /\ forms size (id + 1) paths
  end.

Lemma paths_form_ok size : forall paths id, paths_form size id paths = None -> forms size id paths.
Proof.
  induction paths; intros id E; cbn [paths_form forms] in *; auto.
  destruct (inclusion_form id size a) eqn:F; [discriminate|]. auto.
Qed.

Lemma fetched_paths_ok size : forall fuel from id last l,
  fetched_paths fuel from size id last = inl l -> id <= last ->
  forms size id l /\ id + N.of_nat (length l) = last.
Proof.
  induction fuel; intros from id last l E Hid; cbn [fetched_paths] in E; destruct (last <=? id) eqn:L.
  - injection E as <-. simpl. split; auto. lia.
  - discriminate.
  - injection E as <-. simpl. split; auto. lia.
  - destruct (lookup id from) as [path|]; [|discriminate].
    destruct (inclusion_form id size path) eqn:F; [discriminate|].
    destruct (fetched_paths fuel from size (id + 1) last) as [rest|] eqn:R; [|discriminate].
    injection E as <-. apply IHfuel in R; [|lia]. destruct R as [C Hl].
    cbn [forms length]. split; [|lia]. auto.
Qed.

Section Facts.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

Notation leaf_in := (leaf_in K).
Notation reach := (reach K).
Notation extends := (extends K).

Lemma walk_terms_ok th : below_u64 (h_bl th) = true ->
  forall paths rest e id a last,
  walk_terms th e id a paths rest = None ->
  length paths = length rest -> id + N.of_nat (length paths) = last -> below_u64 last = true ->
  forms (h_bl th) id paths ->
  length a = 32%nat -> Forall (fun t => length t = 32%nat) rest ->
  Forall K (walk_terms_inputs th id a paths rest) ->
  reach last e id a /\
  forall x, id <= x < last -> exists c, leaf_in (h_bl th) (h_root th) x c /\ reach last e x c.
Proof.
  intros Hu. induction paths as [|path paths IH]; intros [|own rest] e id a last E Hl He Hb Hf Ha Hd Hk;
    try discriminate; cbn [walk_terms walk_terms_inputs forms length] in *.
  - apply same_ok in E. subst. rewrite N.add_0_r. split; [constructor|]. intros x Hx. simpl in Hx. lia.
  - destruct (inclusion_holds id (h_bl th) path a (h_root th)) eqn:I; [discriminate|].
    apply Forall_app in Hk. destruct Hk as [Hk1 Hk2].
    apply Forall_cons_iff in Hk2. destruct Hk2 as [Hk2 Hk3].
    apply Forall_cons_iff in Hd. destruct Hd as [Hd1 Hd2].
    destruct Hf as (Hf1 & Hf2).
    destruct (IH rest e (id + 1) (link (id + 1) a own) last) as [R S]; auto; try lia.
    { apply hash_length. }
    assert (R' : reach last e id a).
    { eapply reach_before; eauto. unfold below_u64 in *. lia. }
    split; auto. intros x Hx. destruct (N.eq_dec x id) as [->|].
    + exists a. split; auto. eapply inclusion_ok; eauto.
    + apply S. lia.
Qed.

Lemma walk_headers_ok th : below_u64 (h_bl th) = true ->
  forall paths rest e id a last,
  walk_headers th e id a paths rest = None ->
  length paths = length rest -> id + N.of_nat (length paths) = last -> below_u64 last = true ->
  forms (h_bl th) id paths -> consecutive (id + 1) rest ->
  length a = 32%nat ->
  Forall K (walk_headers_inputs th id a paths rest) ->
  reach last e id a /\
  forall x, id <= x < last -> exists c, leaf_in (h_bl th) (h_root th) x c /\ reach last e x c.
Proof.
  intros Hu. induction paths as [|path paths IH]; intros [|next rest] e id a last E Hl He Hb Hf Hc Ha Hk;
    try discriminate; cbn [walk_headers walk_headers_inputs forms consecutive length] in *.
  - apply same_ok in E. subst. rewrite N.add_0_r. split; [constructor|]. intros x Hx. simpl in Hx. lia.
  - destruct (inclusion_holds id (h_bl th) path a (h_root th)) eqn:I; [discriminate|].
    destruct (demand (eqb a (h_prev next)) Inconsistent) eqn:P; [discriminate|].
    apply same_ok in P.
    apply Forall_app in Hk. destruct Hk as [Hk1 Hk2].
    apply Forall_app in Hk2. destruct Hk2 as [Hk2 Hk3].
    destruct Hf as (Hf1 & Hf2). destruct Hc as (W & Hid & Hc).
    destruct (IH rest e (id + 1) (alh next) last) as [R S]; auto; try lia.
    { apply hash_length. }
    unfold header_inputs in Hk2. apply Forall_cons_iff in Hk2. destruct Hk2 as [_ Hk2].
    apply Forall_cons_iff in Hk2. destruct Hk2 as [Hk2 _].
    unfold alh in R. rewrite Hid, <- P in R, Hk2.
    assert (R' : reach last e id a).
    { eapply reach_before; eauto. unfold below_u64 in *. lia. }
    split; auto. intros x Hx. destruct (N.eq_dec x id) as [->|].
    + exists a. split; auto. eapply inclusion_ok; eauto.
    + apply S. lia.
Qed.

Lemma follow_ok : forall l e id a last,
  follow e a l = None -> consecutive (id + 1) l -> id + N.of_nat (length l) = last ->
  below_u64 last = true -> Forall K (flat_map header_inputs l) -> reach last e id a.
Proof.
  induction l as [|next l IH]; intros e id a last E Hc Hl Hu Hk;
    cbn [follow consecutive length flat_map] in *.
  - apply same_ok in E. subst. rewrite N.add_0_r. constructor.
  - destruct (demand (eqb a (h_prev next)) Inconsistent) eqn:P; [discriminate|].
    apply same_ok in P. destruct Hc as (W & Hid & Hc).
    apply Forall_app in Hk. destruct Hk as [Hk1 Hk2].
    assert (R : reach last e (id + 1) (alh next)) by (apply IH; auto; lia).
    unfold header_inputs in Hk1. apply Forall_cons_iff in Hk1. destruct Hk1 as [_ Hk1].
    apply Forall_cons_iff in Hk1. destruct Hk1 as [Hk1 _].
    unfold alh in R. rewrite Hid, <- P in R, Hk1.
    eapply reach_before; eauto.
    + apply well_formed_typed in W. unfold typed in W. split_andb. subst. now apply digest_length.
    + unfold below_u64 in *. lia.
Qed.

(** Consequences of an accepted proof for [s], [t] and their headers; [e] is the last leaf of the target's tree. *)
Record said (s t : state) (sh th : header) (e : bytes) : Prop := {
  said_source : well_formed sh = true /\ h_id sh = s_tx s /\ alh sh = s_hash s /\ Forall K (header_inputs sh);
  said_target : well_formed th = true /\ h_id th = s_tx t /\ alh th = s_hash t /\ Forall K (header_inputs th);
  said_ids : 0 < s_tx s <= s_tx t /\ h_bl sh < s_tx s /\ h_bl th < s_tx t /\ h_bl sh <= h_bl th;
  said_inclusion : s_tx s < h_bl th -> leaf_in (h_bl th) (h_root th) (s_tx s) (s_hash s);
  said_consistency : 0 < h_bl sh -> extends (h_bl sh) (h_root sh) (h_bl th) (h_root th);
  said_last : 0 < h_bl th -> leaf_in (h_bl th) (h_root th) (h_bl th) e;
  said_last_source : 0 < h_bl th -> h_bl th = s_tx s -> e = s_hash s;
  said_linear : if in_tree s th then reach (s_tx t) (s_hash t) (h_bl th) e
                else reach (s_tx t) (s_hash t) (s_tx s) (s_hash s);
  said_advance : forall x,
    h_bl sh < x < (if in_tree s th then s_tx s else h_bl th) ->
    exists c, leaf_in (h_bl th) (h_root th) x c /\
      (if in_tree s th then reach (s_tx s) (s_hash s) x c else reach (h_bl th) e x c);
  said_onward : h_bl sh < h_bl th < s_tx s -> reach (s_tx s) (s_hash s) (h_bl th) e
}.

Lemma linear_ok s t th p :
  0 < s_tx s <= s_tx t -> h_bl th < s_tx t -> below_u64 (s_tx t) = true ->
  linear s t th p = None -> Forall K (linear_inputs s th p) ->
  reach (s_tx t) (s_hash t) (s_tx (chain_start s th p)) (s_hash (chain_start s th p)).
Proof.
  intros Hs Ht Hu E Hk. unfold linear, linear_inputs in *.
  assert (Hle : s_tx (chain_start s th p) <= s_tx t).
  { unfold chain_start. destruct (in_tree s th); simpl; lia. }
  destruct (p_linear p) as [l|]; [|discriminate].
  set (start := chain_start s th p) in *.
  destruct (demand (l_source l =? s_tx start) Malformed); [discriminate|].
  destruct (demand (l_target l =? s_tx t) Malformed); [discriminate|].
  destruct (digests (s_tx t - s_tx start + 1) (l_terms l)) eqn:D; [discriminate|].
  apply digests_ok in D. destruct D as [Dl Dd].
  destruct (l_terms l) as [|first rest]; [discriminate|].
  destruct (demand (eqb (s_hash start) first) Inconsistent) eqn:F; [discriminate|].
  apply same_ok in F. apply same_ok in E. apply Forall_cons_iff in Dd. destruct Dd as [Dd _].
  rewrite F.
  assert (He : s_tx start + N.of_nat (length rest) = s_tx t).
  { cbn [length] in Dl. lia. }
  eapply fold_chain_reach with (terms := rest); eauto.
  - rewrite He, <- E. constructor.
  - now rewrite He.
Qed.

Lemma advance_ok s sh th p ps :
  0 < s_tx s -> below_u64 (h_bl th) = true -> below_u64 (s_tx s) = true ->
  advance s sh th p ps = None -> Forall K (advance_inputs s sh th p ps) ->
  forall x, h_bl sh < x < s_tx (swallowed_end s th p) ->
  exists c, leaf_in (h_bl th) (h_root th) x c /\
    reach (s_tx (swallowed_end s th p)) (s_hash (swallowed_end s th p)) x c.
Proof.
  intros Hs Hu Hus E Hk x Hx. unfold advance, advance_inputs in *.
  assert (Hul : below_u64 (s_tx (swallowed_end s th p)) = true).
  { unfold swallowed_end. destruct (in_tree s th); auto. }
  set (last := swallowed_end s th p) in *.
  destruct (s_tx last <=? h_bl sh + 1) eqn:L; [lia|].
  destruct (p_advance p) as [a|].
  - destruct (digests (s_tx last - h_bl sh) (a_terms a)) eqn:D; [discriminate|].
    apply digests_ok in D. destruct D as [Dl Dd].
    destruct (demand _ Malformed) eqn:C in E; [discriminate|]. apply demand_ok in C.
    destruct (paths_form (h_bl th) (h_bl sh + 1) (a_inclusions a)) eqn:F; [discriminate|].
    apply paths_form_ok in F.
    destruct (a_terms a) as [|first rest]; [discriminate|].
    apply Forall_cons_iff in Dd. destruct Dd as [Df Dr]. cbn [length] in Dl.
    eapply (walk_terms_ok th Hu (a_inclusions a) rest); eauto; lia.
  - destruct (chain_of ps (h_bl sh + 1) (s_tx last)) as [[|first rest]|] eqn:C; try discriminate.
    destruct (paths_of ps (h_bl th) (h_bl sh + 1) (s_tx last)) as [paths|] eqn:P; [|discriminate].
    apply chain_ok in C; [|lia]. destruct C as [Cc Cl].
    apply fetched_paths_ok in P; [|lia]. destruct P as [Pf Pl].
    destruct Cc as (W & Hid & Cc). cbn [length] in Cl.
    apply Forall_app in Hk. destruct Hk as [_ Hk].
    eapply (walk_headers_ok th Hu paths rest); eauto; lia.
Qed.

Lemma onward_ok s sh th p ps :
  below_u64 (s_tx s) = true ->
  onward s sh th p ps = None -> Forall K (onward_inputs s sh th ps) ->
  h_bl sh < h_bl th < s_tx s ->
  reach (s_tx s) (s_hash s) (h_bl th) (p_target_bl_alh p).
Proof.
  intros Hu E Hk Hb. unfold onward, onward_inputs in *.
  replace ((h_bl sh <? h_bl th) && (h_bl th <? s_tx s)) with true in * by lia.
  destruct (chain_of ps (h_bl th + 1) (s_tx s)) as [l|] eqn:C; [|discriminate].
  apply chain_ok in C; [|lia]. destruct C as [Cc Cl].
  eapply follow_ok; eauto. lia.
Qed.

Lemma first_refusal_accepted l :
  first_refusal l = Accepted -> Forall (fun c => snd c = None) l.
Proof.
  induction l as [|[at_step [why|]] l IH]; simpl; intros; auto; discriminate.
Qed.

Lemma verify_says s t p ps :
  verify s t p ps = Accepted -> Forall K (hashed s p ps) ->
  exists sh th, said s t sh th (p_target_bl_alh p).
Proof.
  unfold verify, verify_without, hashed. intros E Hk.
  destruct (p_source p) as [sh|]; [|discriminate].
  destruct (p_target p) as [th|]; [|discriminate].
  apply first_refusal_accepted in E.
  repeat match goal with
  | E : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in E; destruct E as [?E E]; cbn [snd unless] in *
  end.
  repeat (apply Forall_app in Hk; let K' := fresh "K" in destruct Hk as [K' Hk]).
  apply demand_ok in E0. split_andb.
  unfold ids in E1.
  repeat match type of E1 with match demand ?b ?w with _ => _ end = None =>
    let F := fresh "Hid" in destruct (demand b w) eqn:F; [discriminate|]; apply demand_ok in F end.
  apply demand_ok in E1.
  unfold header_hashes in E2.
  repeat match type of E2 with match demand ?b ?w with _ => _ end = None =>
    let F := fresh "Hal" in destruct (demand b w) eqn:F; [discriminate|]; apply demand_ok in F end.
  apply demand_ok in E2.
  apply eqb_eq in Hal, Hal0.
  assert (Us : below_u64 (s_tx s) = true /\ below_u64 (s_tx t) = true).
  { unfold state_typed in *. split_andb. auto. }
  assert (Ut : below_u64 (h_bl th) = true).
  { match goal with W : well_formed th = true |- _ => apply well_formed_typed in W; unfold typed in W end.
    split_andb. auto. }
  destruct Us as [Us Ust].
  exists sh, th. constructor.
  - repeat split; auto. lia.
  - repeat split; auto. lia.
  - lia.
  - intros Hin. unfold inclusion in E3. unfold in_tree in *.
    replace (s_tx s <? h_bl th) with true in * by lia.
    destruct (inclusion_form _ _ _) eqn:F in E3; [discriminate|].
    eapply inclusion_ok; eauto.
  - intros Hb. unfold consistency in E4.
    destruct (h_bl sh =? 0) eqn:Z; [lia|].
    eapply consistency_ok; eauto. lia.
  - intros Hb. unfold last_inclusion in E5. cbn [unless] in E5.
    destruct (h_bl th =? 0) eqn:Z; [lia|].
    destruct (demand _ Malformed) in E5; [discriminate|].
    destruct (inclusion_form _ _ _) eqn:F in E5; [discriminate|].
    destruct (inclusion_holds _ _ _ _ _) eqn:G in E5; [discriminate|].
    eapply inclusion_ok; eauto.
  - intros Hb He. unfold last_inclusion in E5. cbn [unless] in E5.
    destruct (h_bl th =? 0) eqn:Z; [lia|].
    destruct (demand _ Malformed) in E5; [discriminate|].
    destruct (inclusion_form _ _ _) eqn:F in E5; [discriminate|].
    destruct (inclusion_holds _ _ _ _ _) eqn:G in E5; [discriminate|].
    replace (h_bl th =? s_tx s) with true in E5 by lia.
    symmetry. eapply same_ok. exact E5.
  - pose proof (linear_ok s t th p) as L. unfold chain_start in L.
    destruct (in_tree s th); cbn [s_tx s_hash] in L; apply L; auto; lia.
  - intros x Hx. pose proof (advance_ok s sh th p ps) as A. unfold swallowed_end in A.
    destruct (in_tree s th); cbn [s_tx s_hash] in A; apply A; auto; lia.
  - intros Hb. eapply onward_ok; eauto.
Qed.

End Facts.

(** Only one list of entries is accepted under a header, and only one value for each entry. *)

From Proof Require Export Entries Theorems.

Lemma kv_bytes_length m : (length (kv_bytes m) <= 11)%nat.
Proof.
  unfold kv_bytes. rewrite !app_length.
  destruct (m_deleted m), (m_expires m), (m_non_indexable m); unfold u64; cbn [length];
    rewrite ?big_endian_length; lia.
Qed.

Definition expires_typed (m : kv_metadata) : bool :=
  match m_expires m with Some at_second => below_u64 at_second | None => true end.

Lemma kv_bytes_injective m n :
  expires_typed m = true -> expires_typed n = true -> kv_bytes m = kv_bytes n -> m = n.
Proof.
  destruct m as [d e i], n as [d' e' i']. unfold kv_bytes, expires_typed. cbn [m_deleted m_expires m_non_indexable].
  intros Hm Hn E.
  assert (D : d = d').
  { destruct d, d'; auto; destruct e, e', i, i'; discriminate. }
  subst d'. assert (E' : (match e with Some at_second => "001"%char :: u64 at_second | None => [] end) ++
       (if i then ["002"%char] else []) =
     (match e' with Some at_second => "001"%char :: u64 at_second | None => [] end) ++
       (if i' then ["002"%char] else [])).
  { destruct d; [now apply same_tail in E|exact E]. }
  clear E. destruct e as [a|], e' as [b|].
  - apply same_tail in E'. apply app_same_length in E'; [|unfold u64; now rewrite !big_endian_length].
    destruct E' as [U I]. apply u64_injective in U; auto. subst.
    destruct i, i'; try discriminate; reflexivity.
  - destruct i'; discriminate.
  - destruct i; discriminate.
  - destruct i, i'; try discriminate; reflexivity.
Qed.

Section Values.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

Lemma entry_input_injective h e f :
  entry_form h e = None -> entry_form h f = None -> entry_input h e = entry_input h f -> e = f.
Proof.
  unfold entry_form, entry_input. intros He Hf E.
  destruct (demand (is_digest (e_value_hash e) && _) Malformed) eqn:De; [discriminate|].
  destruct (demand (is_digest (e_value_hash f) && _) Malformed) eqn:Df; [discriminate|].
  apply demand_ok in De, Df. apply andb_true_iff in De, Df.
  destruct De as [Le Te], Df as [Lf Tf]. apply digest_length in Le, Lf.
  assert (Same : kv_bytes (e_metadata e) = kv_bytes (e_metadata f) ->
    e_key e = e_key f -> e_value_hash e = e_value_hash f -> e = f).
  { intros M Hk Hv. apply kv_bytes_injective in M; auto. destruct e, f; cbn in *; congruence. }
  pose proof (kv_bytes_length (e_metadata e)). pose proof (kv_bytes_length (e_metadata f)).
  destruct (h_version h =? 0).
  - apply demand_ok in He, Hf. apply app_same_tail in E; [|congruence]. destruct E.
    apply Same; auto. destruct (kv_bytes (e_metadata e)), (kv_bytes (e_metadata f)); auto; discriminate.
  - apply demand_ok in He, Hf. apply N.ltb_lt in He, Hf.
    apply app_same_length in E; [|unfold u16; now rewrite !big_endian_length]. destruct E as [Lm E].
    apply u16_injective in Lm; [|lia|lia]. apply Nat2N.inj in Lm.
    apply app_same_length in E; [|exact Lm]. destruct E as [M E].
    apply app_same_length in E; [|unfold u16; now rewrite !big_endian_length]. destruct E as [Lk E].
    apply u16_injective in Lk; [|exact He|exact Hf]. apply Nat2N.inj in Lk.
    apply app_same_length in E; [|exact Lk]. destruct E. auto.
Qed.

Lemma pair_up_length : forall n (l : list bytes), (length l <= n)%nat -> (2 <= length l)%nat -> (length (pair_up l) < length l)%nat.
Proof.
  assert (Le : forall n (l : list bytes), (length l <= n)%nat -> (length (pair_up l) <= length l)%nat).
  { induction n; intros [|a [|b l]] Hl; cbn [pair_up length] in *; try lia.
    specialize (IHn l). lia. }
  intros n [|a [|b l]] Hl H2; cbn [pair_up length] in *; try lia.
  specialize (Le (length l) l). lia.
Qed.

Lemma pair_up_injective : forall n (l m : list bytes), (length l <= n)%nat -> length l = length m ->
  Forall (fun d : bytes => length d = 32%nat) l -> Forall (fun d : bytes => length d = 32%nat) m ->
  Forall K (pair_up_inputs l) -> Forall K (pair_up_inputs m) ->
  pair_up l = pair_up m -> l = m.
Proof.
  induction n; intros [|a [|b l]] [|c [|d m]] Hn Hl Dl Dm Kl Km E; cbn [length] in *; try lia; auto.
  cbn [pair_up pair_up_inputs] in *.
  repeat match goal with F : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in F; destruct F end.
  pose proof (f_equal (@hd bytes []) E) as E1. cbn [hd] in E1. apply same_tail in E.
  apply (node_injective K) in E1; auto; [|congruence]. destruct E1. subst.
  f_equal. f_equal. apply IHn; auto; lia.
Qed.

Lemma pair_up_digests : forall n (l : list bytes), (length l <= n)%nat ->
  Forall (fun d : bytes => length d = 32%nat) l -> Forall (fun d : bytes => length d = 32%nat) (pair_up l).
Proof.
  induction n; intros [|a [|b l]] Hn D; cbn [length pair_up] in *; auto; try lia.
  repeat match goal with F : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in F; destruct F end.
  constructor; [apply hash_length|]. apply IHn; auto; lia.
Qed.

Lemma pair_up_same_length : forall n (l m : list bytes), (length l <= n)%nat -> length l = length m ->
  length (pair_up l) = length (pair_up m).
Proof.
  induction n; intros [|a [|b l]] [|c [|d m]] Hn Hl; cbn [length pair_up] in *; try lia.
  f_equal. apply IHn; lia.
Qed.

Lemma root_injective : forall fuel (l m : list bytes), (length l <= S fuel)%nat -> length l = length m ->
  Forall (fun d : bytes => length d = 32%nat) l -> Forall (fun d : bytes => length d = 32%nat) m ->
  Forall K (root_inputs fuel l) -> Forall K (root_inputs fuel m) ->
  root_of fuel l = root_of fuel m -> l = m.
Proof.
  induction fuel; intros [|a [|b l]] [|c [|d m]] Hn Hl Dl Dm Kl Km E; cbn [length] in *; try lia; auto;
    try (cbn in E; congruence).
  cbn [root_of root_inputs] in *.
  apply Forall_app in Kl, Km. destruct Kl as [Kl1 Kl2], Km as [Km1 Km2].
  apply (pair_up_injective (length (a :: b :: l))); auto.
  apply IHfuel; auto.
  - assert (length (pair_up (a :: b :: l)) < length (a :: b :: l))%nat
      by (apply (pair_up_length (length (a :: b :: l))); cbn [length]; lia).
    cbn [length] in *. lia.
  - apply (pair_up_same_length (length (a :: b :: l))); auto.
  - apply (pair_up_digests (length (a :: b :: l))); auto.
  - apply (pair_up_digests (length (c :: d :: m))); auto.
Qed.

Lemma leaves_injective h : forall es fs, length es = length fs ->
  entries_form h es = None -> entries_form h fs = None ->
  Forall K (map (entry_input h) es) -> Forall K (map (entry_input h) fs) ->
  Forall K (map (fun e => leaf_input (entry_digest h e)) es) ->
  Forall K (map (fun e => leaf_input (entry_digest h e)) fs) ->
  entry_leaves h es = entry_leaves h fs -> es = fs.
Proof.
  induction es as [|e es IH]; intros [|f fs] Hl Fe Ff Ke Kf Le Lf E; try discriminate; auto.
  unfold entry_leaves in *. cbn [map entries_form length] in *.
  destruct (entry_form h e) eqn:Ee; [discriminate|]. destruct (entry_form h f) eqn:Ef; [discriminate|].
  repeat match goal with F : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in F; destruct F end.
  pose proof (f_equal (@hd bytes []) E) as E1. cbn [hd] in E1. apply same_tail in E.
  apply no_collision in E1; auto. apply same_tail in E1. apply no_collision in E1; auto.
  apply entry_input_injective in E1; auto. subst. f_equal. apply IH; auto.
Qed.

Lemma entries_unique h es fs :
  verify_entries h es = None -> verify_entries h fs = None ->
  Forall K (entries_inputs h es) -> Forall K (entries_inputs h fs) -> es = fs.
Proof.
  unfold verify_entries, entries_inputs. intros Ve Vf Ke Kf.
  destruct (demand (N.of_nat (length es) =? _) _) eqn:Ce; [discriminate|].
  destruct (demand (N.of_nat (length fs) =? _) _) eqn:Cf; [discriminate|].
  apply demand_ok in Ce, Cf. apply N.eqb_eq in Ce, Cf.
  assert (L : length es = length fs) by (apply Nat2N.inj; congruence).
  destruct (entries_form h es) eqn:Fe; [discriminate|]. destruct (entries_form h fs) eqn:Ff; [discriminate|].
  apply same_ok in Ve, Vf.
  apply Forall_app in Ke, Kf. destruct Ke as [Ke1 Ke], Kf as [Kf1 Kf].
  apply Forall_app in Ke, Kf. destruct Ke as [Ke2 Ke3], Kf as [Kf2 Kf3].
  apply (leaves_injective h); auto.
  assert (Dig : forall xs, Forall (fun d : bytes => length d = 32%nat) (entry_leaves h xs)).
  { intros xs. unfold entry_leaves. apply Forall_forall. intros d Hd. apply in_map_iff in Hd.
    destruct Hd as (x & <- & _). apply hash_length. }
  rewrite <- L in *.
  apply (root_injective (length es)); auto.
  - unfold entry_leaves. rewrite map_length. lia.
  - unfold entry_leaves. now rewrite !map_length.
  - congruence.
Qed.

(** ** One entry, by its audit path *)

Lemma pair_up_nth : forall n (l : list bytes) i a, (length l <= n)%nat ->
  nth_error l i = Some a -> Forall (fun d : bytes => length d = 32%nat) l -> Forall K (pair_up_inputs l) ->
  if Nat.eqb (S i) (length l) && Nat.even i then nth_error (pair_up l) (Nat.div2 i) = Some a
  else exists b, length b = 32%nat /\
    let (left_one, right_one) := if Nat.even i then (a, b) else (b, a) in
    K (node_input left_one right_one) /\ nth_error (pair_up l) (Nat.div2 i) = Some (node left_one right_one).
Proof.
  induction n; intros [|x [|y l]] i a Hn Hi D Kl; try (destruct i; discriminate);
    try (cbn [length] in Hn; lia).
  - destruct i as [|i]; [|destruct i; discriminate]. cbn. auto.
  - cbn [pair_up_inputs] in Kl.
    repeat match goal with F : Forall _ (_ :: _) |- _ => apply Forall_cons_iff in F; destruct F end.
    destruct i as [|[|i]].
    + cbn in *. injection Hi as ->. exists y. auto.
    + cbn in *. rewrite andb_false_r. injection Hi as ->. exists x. auto.
    + cbn [nth_error] in Hi. specialize (IHn l i a). cbn [length] in *.
      cbn [pair_up Nat.div2 nth_error]. change (Nat.even (S (S i))) with (Nat.even i).
      change (Nat.eqb (S (S (S i))) (S (S (length l)))) with (Nat.eqb (S i) (length l)).
      apply IHn; auto. lia.
Qed.

Lemma pair_up_count : forall n (l : list bytes), (length l <= n)%nat ->
  (length (pair_up l) = Nat.div2 (S (length l)))%nat.
Proof.
  induction n; intros [|x [|y l]] Hn; cbn [length pair_up Nat.div2] in *; auto; try lia.
  f_equal. apply IHn. lia.
Qed.

Lemma root_at : forall fuel level (l : list bytes) size,
  N.of_nat (length l) = up level (size - 1) + 1 -> (length l <= S fuel)%nat ->
  Forall (fun d : bytes => length d = 32%nat) l -> Forall K (root_inputs fuel l) ->
  forall i a, nth_error l i = Some a -> at_ K size (root_of fuel l) level (N.of_nat i) a.
Proof.
  assert (One : forall level (one : bytes) size fuel i a,
    N.of_nat (length [one]) = up level (size - 1) + 1 -> nth_error [one] i = Some a ->
    at_ K size (root_of fuel [one]) level (N.of_nat i) a).
  { intros level one size fuel i a Hl Hi. destruct i as [|i]; [|destruct i; discriminate].
    injection Hi as ->. replace (root_of fuel [a]) with a by (destruct fuel; reflexivity).
    apply at_top; cbn [length] in *; lia. }
  induction fuel; intros level [|x [|y l]] size Hl Hf D Kl i a Hi; try (destruct i; discriminate);
    try (apply One; assumption); try (cbn [length] in Hf; lia).
  cbn [root_of root_inputs] in *. set (m := x :: y :: l) in *.
  apply Forall_app in Kl. destruct Kl as [Kl1 Kl2].
  assert (Hc : (length (pair_up m) = Nat.div2 (S (length m)))%nat) by (apply (pair_up_count (length m)); lia).
  rewrite Nat.div2_div in Hc.
  assert (Hn : (i < length m)%nat) by (apply nth_error_Some; congruence).
  assert (IH : forall j b, nth_error (pair_up m) j = Some b ->
    at_ K size (root_of fuel (pair_up m)) (S level) (N.of_nat j) b).
  { apply IHfuel; auto.
    - cbn [up]. rewrite Hc, Nat2N.inj_div, Nat2N.inj_succ, Hl. change (N.of_nat 2) with 2. lia.
    - assert (length (pair_up m) < length m)%nat
        by (apply (pair_up_length (length m)); subst m; cbn [length]; lia).
      lia.
    - apply (pair_up_digests (length m)); auto. }
  assert (Hlen : length a = 32%nat).
  { rewrite Forall_forall in D. apply D. eapply nth_error_In; eauto. }
  pose proof (pair_up_nth (length m) m i a (Nat.le_refl _) Hi D Kl1) as P.
  pose proof (Nat.div2_odd i) as Ho. rewrite <- Nat.negb_even in Ho.
  destruct (Nat.eqb (S i) (length m) && Nat.even i) eqn:L.
  - apply andb_true_iff in L. destruct L as [L Ev]. rewrite Ev in Ho. cbn [negb Nat.b2n] in Ho.
    apply Nat.eqb_eq in L. apply at_only with (j := N.of_nat (Nat.div2 i)); auto; lia.
  - destruct P as (b & Hb & P). destruct (Nat.even i) eqn:Ev; cbn [negb Nat.b2n] in Ho; destruct P as [Pk Pn].
    + rewrite andb_true_r in L. apply Nat.eqb_neq in L.
      eapply at_left with (j := N.of_nat (Nat.div2 i)); eauto; lia.
    + eapply at_right with (j := N.of_nat (Nat.div2 i)); eauto; lia.
Qed.

Lemma get_is_the_entry h g leaf_index width terms es :
  well_formed h = true -> verify_entries h es = None -> verify_get h g leaf_index width terms = None ->
  Forall K (entries_inputs h es) -> Forall K (get_inputs h g leaf_index terms) ->
  nth_error es (N.to_nat leaf_index) = Some (stored g).
Proof.
  unfold verify_entries, verify_get, entries_inputs, get_inputs. intros W Ve Vg Ke Kg.
  destruct (demand (N.of_nat (length es) =? _) _) eqn:C; [discriminate|]. apply demand_ok, N.eqb_eq in C.
  destruct (entries_form h es) eqn:F; [discriminate|]. apply same_ok in Ve.
  destruct (demand (h_id h =? _) _); [discriminate|]. destruct (demand (width =? _) _); [discriminate|].
  destruct (entry_form h (stored g)) eqn:G; [discriminate|].
  destruct (inclusion_form _ _ _) eqn:I; [discriminate|].
  apply Forall_cons_iff in Kg. destruct Kg as [_ Kg]. apply Forall_cons_iff in Kg. destruct Kg as [Kg1 Kg2].
  apply Forall_app in Ke. destruct Ke as [Ke1 Ke]. apply Forall_app in Ke. destruct Ke as [Ke2 Ke3].
  apply well_formed_typed in W. unfold typed in W. split_andb.
  assert (U : below_u64 (h_nentries h) = true) by (unfold below_u64; lia).
  assert (L : leaf_in K (h_nentries h) (h_eh h) (leaf_index + 1) (entry_digest h (stored g)))
    by (eapply inclusion_ok; eauto).
  destruct L as (B & Kl & A).
  replace (leaf_index + 1 - 1) with leaf_index in A by lia.
  destruct (nth_error es (N.to_nat leaf_index)) as [e|] eqn:E.
  2: { apply nth_error_None in E. lia. }
  f_equal.
  assert (El : nth_error (entry_leaves h es) (N.to_nat leaf_index) = Some (leaf (entry_digest h e))).
  { unfold entry_leaves. now rewrite nth_error_map, E. }
  assert (Dig : Forall (fun d : bytes => length d = 32%nat) (entry_leaves h es)).
  { unfold entry_leaves. apply Forall_forall. intros d Hd. apply in_map_iff in Hd.
    destruct Hd as (x & <- & _). apply hash_length. }
  assert (Len : length (entry_leaves h es) = length es) by (unfold entry_leaves; apply map_length).
  pose proof (root_at (length es) 0 (entry_leaves h es) (h_nentries h)) as R.
  rewrite Len in R. cbn [up] in R. specialize (R ltac:(lia) ltac:(lia) Dig Ke3 _ _ El).
  rewrite N2Nat.id, <- Ve in R.
  assert (Same : leaf (entry_digest h e) = leaf (entry_digest h (stored g))) by (eapply at_unique; eauto).
  assert (Ine : In e es) by (eapply nth_error_In; eauto).
  rewrite Forall_forall in Ke1, Ke2.
  apply no_collision in Same; auto.
  2: { apply Ke2. now apply (in_map (fun e => leaf_input (entry_digest h e))). }
  apply same_tail in Same. apply no_collision in Same; auto.
  2: { apply Ke1. now apply in_map. }
  apply (entry_input_injective h); auto.
  clear - F Ine. induction es as [|x es IH]; [contradiction|]. cbn [entries_form] in F.
  destruct (entry_form h x) eqn:X; [discriminate|]. destruct Ine as [->|]; auto.
Qed.

End Values.

(** Each value has the hash in its entry. *)
Definition verify_values {hash : Hash} (es : list entry) (values : list bytes) : Prop :=
  Forall2 (fun e value => verify_value e value = None) es values.

(** (3) [x] was proven, and entries and values were accepted under its header [h]. After any number of accepted states,
    [x] is proven again, and entries and values are accepted under its header [g]. Then headers, entries and values
    are equal, or two of the hashed byte strings collide. *)
Theorem values_stay {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall x s steps p ps q qs h es vs g fs ws,
  let proven := {| s_tx := x; s_hash := alh h |} in
  let shown := {| s_tx := x; s_hash := alh g |} in
  verify proven s p ps = Accepted -> run s steps -> verify shown (last_of s steps) q qs = Accepted ->
  well_formed h = true -> verify_entries h es = None -> verify_values es vs ->
  well_formed g = true -> verify_entries g fs = None -> verify_values fs ws ->
  (h = g /\ es = fs /\ vs = ws) \/
  collision ((hashed proven p ps ++ run_hashed s steps ++ hashed shown q qs) ++
             (header_inputs h ++ entries_inputs h es ++ vs) ++ (header_inputs g ++ entries_inputs g fs ++ ws)).
Proof.
  intros x s steps p ps q qs h es vs g fs ws proven shown P R Q Wh Vh Vv Wg Vg Vw.
  destruct (no_equivocation hash_length x (alh h) (alh g) s steps p ps q qs P R Q) as [E|C].
  2: { right. destruct C as (a & b & Ia & Ib & N & E). exists a, b.
       repeat split; auto; apply in_or_app; left; auto. }
  set (l := _ ++ _ ++ (header_inputs g ++ _)).
  destruct (collision_or_none l) as [C|N]; [now right|left].
  assert (Incl : forall m : list bytes, incl m l -> Forall (fun b => In b l) m).
  { intros m I. apply Forall_forall. exact I. }
  assert (h = g).
  { eapply alh_injective with (K := fun b => In b l); eauto; apply Incl; unfold l; intros b Hb;
      rewrite !in_app_iff; tauto. }
  subst g. assert (es = fs).
  { eapply entries_unique with (K := fun b => In b l) (h := h); eauto; apply Incl; unfold l; intros b Hb;
      rewrite !in_app_iff; tauto. }
  subst fs. split; [auto|split; [auto|]].
  assert (Iv : incl vs l) by (unfold l; intros b Hb; rewrite !in_app_iff; tauto).
  assert (Iw : incl ws l) by (unfold l; intros b Hb; rewrite !in_app_iff; tauto).
  clearbody l. clear - Vv Vw N Iv Iw.
  revert ws Vw Iw. induction Vv as [|e v es vs Hv Vv IH]; intros ws Vw Iw; inversion Vw as [|? w ? ws' Hw Vw']; subst; auto.
  unfold verify_value in *. apply same_ok in Hv, Hw. f_equal.
  - apply N; [apply Iv|apply Iw|congruence]; now left.
  - apply IH; auto; intros b Hb; [apply Iv|apply Iw]; now right.
Qed.

(** An entry with its audit path is the entry at that position among the entries that were accepted under the
    transaction's header, any number of states before. *)
Theorem got_entries_stay {hash : Hash} (hash_length : forall m, length (H m) = 32%nat) :
  forall x s steps p ps q qs h es g entry leaf_index width terms,
  let proven := {| s_tx := x; s_hash := alh h |} in
  let shown := {| s_tx := x; s_hash := alh g |} in
  verify proven s p ps = Accepted -> run s steps -> verify shown (last_of s steps) q qs = Accepted ->
  well_formed h = true -> verify_entries h es = None ->
  well_formed g = true -> verify_get g entry leaf_index width terms = None ->
  (h = g /\ nth_error es (N.to_nat leaf_index) = Some (stored entry)) \/
  collision ((hashed proven p ps ++ run_hashed s steps ++ hashed shown q qs) ++
             (header_inputs h ++ entries_inputs h es) ++
             (header_inputs g ++ get_inputs g entry leaf_index terms)).
Proof.
  intros x s steps p ps q qs h es g entry leaf_index width terms proven shown P R Q Wh Vh Wg Vg.
  destruct (no_equivocation hash_length x (alh h) (alh g) s steps p ps q qs P R Q) as [E|C].
  2: { right. destruct C as (a & b & Ia & Ib & N & E). exists a, b.
       repeat split; auto; apply in_or_app; left; auto. }
  set (l := _ ++ _ ++ (header_inputs g ++ _)).
  destruct (collision_or_none l) as [C|N]; [now right|left].
  assert (Incl : forall m : list bytes, incl m l -> Forall (fun b => In b l) m).
  { intros m I. apply Forall_forall. exact I. }
  assert (h = g).
  { eapply alh_injective with (K := fun b => In b l); eauto; apply Incl; unfold l; intros b Hb;
      rewrite !in_app_iff; tauto. }
  subst g. split; auto.
  eapply get_is_the_entry with (K := fun b => In b l) (h := h); eauto; apply Incl; unfold l; intros b Hb;
    rewrite !in_app_iff; tauto.
Qed.

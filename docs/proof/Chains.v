(** Headers and the chain of their hashes: a header's hash determines every field and the chain before it. *)

From Proof Require Export Trees.

Ltac split_andb :=
  repeat match goal with
  | E : _ && _ = true |- _ => apply andb_true_iff in E; destruct E
  end.

Lemma same_tail {A} (a b : A) l m : a :: l = b :: m -> l = m.
Proof. congruence. Qed.

Lemma digest_length d : is_digest d = true -> length d = 32%nat.
Proof. apply Nat.eqb_eq. Qed.

Lemma well_formed_typed h : well_formed h = true -> typed h = true.
Proof. unfold well_formed. intros. now split_andb. Qed.

Lemma metadata_length h :
  well_formed h = true -> N.of_nat (length (metadata h)) <= 268.
Proof.
  unfold well_formed. intros. split_andb. unfold metadata. rewrite app_length.
  assert (length (if (0 <? h_truncated h)%N then "000"%char :: u64 (h_truncated h) else []) <= 9)%nat.
  { destruct (0 <? h_truncated h)%N; [|simpl; lia]. unfold u64. cbn [length]. rewrite big_endian_length. lia. }
  destruct (h_extra h) as [|b extra]; [simpl; lia|].
  unfold u16. cbn [length] in *. rewrite app_length, big_endian_length. cbn [length]. lia.
Qed.

Lemma metadata_injective h g :
  well_formed h = true -> well_formed g = true -> metadata h = metadata g ->
  h_truncated h = h_truncated g /\ h_extra h = h_extra g.
Proof.
  unfold well_formed, typed. intros. split_andb. unfold metadata in *.
  assert (Extra : forall a b : bytes, N.of_nat (length a) <= 256 -> N.of_nat (length b) <= 256 ->
    (match a with [] => [] | e => "001"%char :: u16 (N.of_nat (length e)) ++ e end) =
    (match b with [] => [] | e => "001"%char :: u16 (N.of_nat (length e)) ++ e end) -> a = b).
  { intros a b Ha Hb E. destruct a, b; try discriminate; auto.
    apply same_tail, app_same_length in E; [tauto|]. unfold u16. now rewrite !big_endian_length. }
  destruct (0 <? h_truncated h) eqn:Eh, (0 <? h_truncated g) eqn:Eg; cbn [app] in *.
  - match goal with E : _ :: _ = _ :: _ |- _ => apply same_tail in E end.
    match goal with E : u64 _ ++ _ = u64 _ ++ _ |- _ =>
      apply app_same_length in E; [destruct E|unfold u64; now rewrite !big_endian_length] end.
    split; [now apply u64_injective|]. apply Extra; [now apply N.leb_le|now apply N.leb_le|now destruct (h_extra h), (h_extra g)].
  - destruct (h_extra g); discriminate.
  - destruct (h_extra h); discriminate.
  - split; [lia|]. apply Extra; [now apply N.leb_le|now apply N.leb_le|now destruct (h_extra h), (h_extra g)].
Qed.

Section Chains.
Context {hash : Hash}.
Hypothesis hash_length : forall m, length (H m) = 32%nat.
Variable K : bytes -> Prop.
Hypothesis no_collision : forall a b, K a -> K b -> H a = H b -> a = b.

Ltac apart E := apply app_same_length in E; [destruct E as [? E]|
  unfold u16, u32, u64; rewrite ?big_endian_length; auto using digest_length; congruence].

Lemma inner_input_injective h g :
  well_formed h = true -> well_formed g = true -> inner_input h = inner_input g ->
  h_ts h = h_ts g /\ h_version h = h_version g /\ metadata h = metadata g /\
  h_nentries h = h_nentries g /\ h_eh h = h_eh g /\ h_bl h = h_bl g /\ h_root h = h_root g.
Proof.
  intros Wh Wg E.
  pose proof (metadata_length h Wh) as Mh. pose proof (metadata_length g Wg) as Mg.
  unfold well_formed, typed in *. split_andb. unfold inner_input in E.
  repeat match goal with D : is_digest _ = true |- _ => apply digest_length in D end.
  destruct (h_version h =? 0) eqn:Vh, (h_version g =? 0) eqn:Vg; split_andb.
  - apart E. apart E. apart E. apart E.
    repeat split; auto using u64_injective; try lia.
    + destruct (metadata h), (metadata g); simpl in *; congruence.
    + apply u32_injective; auto; lia.
  - exfalso. apply (f_equal (@length byte)) in E. rewrite !app_length in E.
    unfold u16, u32, u64 in E. rewrite !big_endian_length in E. lia.
  - exfalso. apply (f_equal (@length byte)) in E. rewrite !app_length in E.
    unfold u16, u32, u64 in E. rewrite !big_endian_length in E. lia.
  - apart E. apart E. apart E.
    match goal with L : u16 _ = u16 _ |- _ => apply u16_injective in L; [|lia|lia]; apply Nat2N.inj in L end.
    apart E. apart E. apart E. apart E.
    repeat split; auto using u64_injective; try lia.
    apply u32_injective; auto; lia.
Qed.

Lemma link_input_injective i p o j q r :
  below_u64 i = true -> below_u64 j = true -> length p = length q ->
  link_input i p o = link_input j q r -> i = j /\ p = q /\ o = r.
Proof.
  unfold link_input. intros Hi Hj Hl E. apart E. apart E. auto using u64_injective.
Qed.

(** A header's hash determines every field. *)
Lemma alh_injective h g :
  well_formed h = true -> well_formed g = true ->
  Forall K (header_inputs h) -> Forall K (header_inputs g) ->
  alh h = alh g -> h = g.
Proof.
  intros Wh Wg Kh Kg E. unfold header_inputs in *.
  inversion Kh as [|? ? Kh1 Kh']; inversion Kh' as [|? ? Kh2 _];
  inversion Kg as [|? ? Kg1 Kg']; inversion Kg' as [|? ? Kg2 _]; subst.
  apply no_collision in E; auto.
  pose proof (well_formed_typed h Wh) as Th. pose proof (well_formed_typed g Wg) as Tg.
  unfold typed in Th, Tg. split_andb.
  apply link_input_injective in E; auto.
  2: { repeat match goal with D : is_digest _ = true |- _ => apply digest_length in D end. congruence. }
  destruct E as (Ei & Ep & Eo). apply no_collision in Eo; auto.
  apply inner_input_injective in Eo; auto.
  destruct Eo as (? & ? & Em & ? & ? & ? & ?).
  apply metadata_injective in Em; auto. destruct Em.
  destruct h, g; simpl in *; congruence.
Qed.

(** In the chain that leads to transaction [i] with the hash [a], transaction [j] has the hash [b]. *)
Inductive reach (i : N) (a : bytes) : N -> bytes -> Prop :=
| reach_self : reach i a i a
| reach_before j b own :
    reach i a (j + 1) (link (j + 1) b own) -> K (link_input (j + 1) b own) ->
    length b = 32%nat -> below_u64 (j + 1) = true ->
    reach i a j b.

Lemma reach_below i a j b : reach i a j b -> j <= i.
Proof. induction 1; lia. Qed.

Lemma reach_unique i a j b c : reach i a j b -> reach i a j c -> b = c.
Proof.
  intros R; revert c; induction R as [|j b own R IH Hk Hl Hu]; intros c S.
  - inversion S as [|? ? ? S']; subst; auto. apply reach_below in S'. lia.
  - pose proof (reach_below _ _ _ _ R).
    inversion S as [|? ? own' S' Hk' Hl' Hu']; subst; [lia|].
    apply IH in S'. apply no_collision in S'; auto.
    apply link_input_injective in S'; auto; [tauto|congruence].
Qed.

Lemma reach_trans i a j b k c : reach i a j b -> reach j b k c -> reach i a k c.
Proof. intros R S; induction S; auto. eapply reach_before; eauto. Qed.

Lemma fold_chain_reach : forall terms i a j b,
  reach i a (j + N.of_nat (length terms)) (fold_chain j b terms) ->
  below_u64 (j + N.of_nat (length terms)) = true ->
  length b = 32%nat -> Forall K (fold_chain_inputs j b terms) ->
  reach i a j b.
Proof.
  induction terms as [|own terms IH]; intros i a j b R Hu Hb Hk.
  - simpl in R. now rewrite N.add_0_r in R.
  - simpl in Hk. inversion Hk; subst. unfold below_u64 in *. simpl length in Hu.
    eapply reach_before; eauto.
    + apply IH; auto; try apply hash_length.
      * simpl in R. now replace (j + 1 + N.of_nat (length terms))
          with (j + N.pos (Pos.of_succ_nat (length terms))) by lia.
      * unfold below_u64. lia.
    + unfold below_u64. lia.
Qed.

End Chains.

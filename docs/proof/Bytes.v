(** Byte strings, and numbers as fixed-width big-endian bytes. Encodings are injective: if two encodings are
    equal, the encoded values are equal. The lemmas of this file are proven, not assumed. *)

From Coq Require Export List ZArith NArith Bool Lia ZifyBool Ascii.
Export ListNotations.
Open Scope N_scope.

Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition byte := ascii.
Definition bytes := list byte.

Definition eqb (a b : bytes) : bool := if list_eq_dec ascii_dec a b then true else false.

Lemma eqb_eq a b : eqb a b = true <-> a = b.
Proof. unfold eqb. destruct (list_eq_dec ascii_dec a b); split; congruence. Qed.

Lemma eqb_refl a : eqb a a = true.
Proof. now apply eqb_eq. Qed.

(** [width] bytes of [n], the most significant one first. *)
Fixpoint big_endian (width : nat) (n : N) : bytes :=
  match width with
  | O => []
  | S width => big_endian width (n / 256) ++ [ascii_of_N (n mod 256)]
  end.

Definition u16 := big_endian 2.
Definition u32 := big_endian 4.
Definition u64 := big_endian 8.
Definition below_u64 (n : N) : bool := n <? 2 ^ 64.

Lemma big_endian_length width n : length (big_endian width n) = width.
Proof.
  revert n; induction width; intros; simpl; auto.
  rewrite app_length, IHwidth; simpl; lia.
Qed.

Lemma app_same_length {A} (a b c d : list A) :
  length a = length c -> a ++ b = c ++ d -> a = c /\ b = d.
Proof.
  revert c; induction a; destruct c; simpl; intros; try discriminate; auto.
  injection H0; intros; subst. injection H; intros.
  destruct (IHa c); auto; subst; auto.
Qed.

Lemma app_same_tail {A} (a b c d : list A) :
  length b = length d -> a ++ b = c ++ d -> a = c /\ b = d.
Proof.
  intros Hl He. apply app_same_length; auto.
  assert (length (a ++ b) = length (c ++ d)) by now rewrite He.
  rewrite !app_length in H. lia.
Qed.

Lemma big_endian_injective width n m :
  n < 256 ^ N.of_nat width -> m < 256 ^ N.of_nat width ->
  big_endian width n = big_endian width m -> n = m.
Proof.
  revert n m; induction width; intros n m Hn Hm He.
  - simpl in *. lia.
  - simpl big_endian in He.
    apply app_same_length in He; [|now rewrite !big_endian_length].
    destruct He as [Hhigh Hlow].
    rewrite Nat2N.inj_succ, N.pow_succ_r' in Hn, Hm.
    assert (n / 256 = m / 256).
    { apply IHwidth; auto; apply N.div_lt_upper_bound; lia. }
    assert (n mod 256 = m mod 256).
    { injection Hlow; intros Ha. apply (f_equal N_of_ascii) in Ha.
      rewrite !N_ascii_embedding in Ha by (apply N.mod_lt; lia). exact Ha. }
    rewrite (N.div_mod' n 256), (N.div_mod' m 256). congruence.
Qed.

Lemma u64_injective n m : below_u64 n = true -> below_u64 m = true -> u64 n = u64 m -> n = m.
Proof.
  unfold below_u64, u64. rewrite !N.ltb_lt. intros. now apply (big_endian_injective 8).
Qed.

Lemma u32_injective n m : n < 2 ^ 32 -> m < 2 ^ 32 -> u32 n = u32 m -> n = m.
Proof. intros. now apply (big_endian_injective 4). Qed.

Lemma u16_injective n m : n < 2 ^ 16 -> m < 2 ^ 16 -> u16 n = u16 m -> n = m.
Proof. intros. now apply (big_endian_injective 2). Qed.

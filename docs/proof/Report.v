(** Prints each theorem and its additional assumptions, for [./dev proof]. *)

From Proof Require Import Values Walk Trust Counterexamples.

Set Printing Width 110.

Check @no_equivocation_in_one_step.
Print Assumptions no_equivocation_in_one_step.
Check @no_equivocation.
Print Assumptions no_equivocation.
Check @values_stay.
Print Assumptions values_stay.
Check @got_entries_stay.
Print Assumptions got_entries_stay.
Check @answers_are_of_the_proof.
Print Assumptions answers_are_of_the_proof.
Check @walked_transactions_stay.
Print Assumptions walked_transactions_stay.
Check @trust_moves_by_proofs_alone.
Print Assumptions trust_moves_by_proofs_alone.
Check @excused_means_unprovable.
Print Assumptions excused_means_unprovable.
Check @a_transaction_proves_only_itself.
Print Assumptions a_transaction_proves_only_itself.
Check @without_step_3.
Print Assumptions without_step_3.
Check @without_step_4.
Print Assumptions without_step_4.
Check @without_the_first_half_of_step_5.
Print Assumptions without_the_first_half_of_step_5.
Check @without_the_second_half_of_step_5.
Print Assumptions without_the_second_half_of_step_5.
Check @without_step_6.
Print Assumptions without_step_6.
Check @without_step_7.
Print Assumptions without_step_7.
Check @without_step_8.
Print Assumptions without_step_8.
Check @variants_differ.
Print Assumptions variants_differ.

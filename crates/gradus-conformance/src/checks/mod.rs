//! The checks, one file for each family of operations.

mod attention;
mod cosines;
mod dropout;
mod ends;
mod gated;
mod inference;
mod invariance;
mod layers;
mod layouts;
mod norms;
mod optimizer;
mod positions;
mod reduced;
mod sparse;
mod tied;
mod transfers;
mod whole_layers;
mod zero;

use crate::{Check, Plain};
use gradus_kernels::Backend;

/// Numbers of threads that a check is run with.
const THREADS: [usize; 3] = [1, 2, 3];

/// Tests, by name, that take a backend.
macro_rules! checks {
    ($make:expr, $threads:expr; $($module:ident::$check:ident),* $(,)?) => {
        [$({
            let make = $make.clone();
            Check::new(stringify!($check), move || {
                for threads in $threads {
                    $module::$check(&make(threads));
                }
            })
        }),*]
    };
}

/// The suite for a backend in f32, made by a function of the number of threads.
pub fn conformance<B: Backend>(make: impl Fn(usize) -> B + Clone + Send + 'static) -> Vec<Check> {
    let mut all = vec![];
    all.extend(checks![make, THREADS;
        transfers::what_is_moved_comes_back,
        dropout::every_backend_drops_the_same,
        layers::linear,
        layers::inference_gives_what_training_gives,
        layers::activations,
        layers::feed_forward_backward,
        layers::backward_onto_a_residual,
        norms::norms_with_dropout_and_residual,
        norms::norms_of_queries_and_keys,
        attention::attention,
        attention::attention_in_long_sequences,
        attention::attention_without_training_gives_the_same,
        attention::attention_backward_meets_the_dropout_of_forward,
        ends::embeddings,
        ends::poolings_and_normalisation,
        gated::gates,
        positions::turns,
        positions::distances,
        positions::attention_with_a_bias,
        optimizer::adamw_follows_its_formula_and_leaves_the_rest,
        optimizer::norms_of_gradients_are_joined,
        optimizer::a_norm_that_is_no_number_changes_nothing,
        optimizer::an_average_approaches,
        tied::rows_are_gathered_and_put_back,
        tied::rows_are_replaced,
        tied::rows_are_subtracted,
        tied::cross_entropy,
        cosines::cosines_of_all_rows,
        cosines::logits_are_steep_and_some_are_left_out,
    ]);
    all.extend(whatever_the_precision(make));
    all
}

/// The suite for a backend whose products are in bf16: near the exact results on
/// random shapes, and all that holds to the bit.
pub fn conformance_in_bf16<B: Backend>(
    make: impl Fn(usize) -> B + Clone + Send + 'static,
) -> Vec<Check> {
    let mut all = vec![];
    let own = make.clone();
    all.push(Check::new("attention_is_near_the_exact_one", move || {
        reduced::attention_is_near_the_exact_one(&own, &Plain::default());
    }));
    let own = make.clone();
    all.push(Check::new("products_are_near_the_exact_ones", move || {
        reduced::products_are_near_the_exact_ones(&own, &Plain::default());
    }));
    all.extend(checks![make, THREADS;
        transfers::what_is_moved_comes_back,
        dropout::every_backend_drops_the_same,
        tied::rows_are_gathered_and_put_back,
        tied::rows_are_replaced,
        tied::rows_are_subtracted,
        cosines::cosines_of_all_rows,
        cosines::logits_are_steep_and_some_are_left_out,
        optimizer::adamw_follows_its_formula_and_leaves_the_rest,
        optimizer::norms_of_gradients_are_joined,
        optimizer::a_norm_that_is_no_number_changes_nothing,
        optimizer::an_average_approaches,
        layers::backward_onto_a_residual,
    ]);
    all.extend(whatever_the_precision(make));
    all
}

/// The suite for a backend that infers in bytes: near the exact results on random
/// shapes, and all that holds to the bit.
pub fn conformance_in_int8<B: Backend>(
    make: impl Fn(usize) -> B + Clone + Send + 'static,
) -> Vec<Check> {
    let own = make.clone();
    let near = Check::new("products_in_bytes_are_near_the_exact_ones", move || {
        inference::products_in_bytes_are_near_the_exact_ones(&own(2), &Plain::default());
    });
    let mut all = vec![near];
    all.extend(whatever_the_precision(make));
    all
}

/// What holds to the bit in any precision.
fn whatever_the_precision<B: Backend>(
    make: impl Fn(usize) -> B + Clone + Send + 'static,
) -> Vec<Check> {
    let mut all = vec![];
    all.extend(checks![make, [1, 2];
        sparse::sparse_updates_are_the_dense_ones,
        tied::a_tied_weight_sums_both_of_its_gradients,
        layouts::products_follow_the_optimizer,
        layouts::lanes_follow_the_optimizer,
        zero::zero_holds_for_every_reader,
        inference::norms_are_those_of_training,
        inference::products_behind_norms_are_as_all_others,
        invariance::training_batches_give_what_others_give,
    ]);
    let own = make.clone();
    all.push(Check::new("rows_do_not_depend_on_others", move || {
        inference::rows_do_not_depend_on_others(&own);
    }));
    all.push(Check::new(
        "bits_do_not_depend_on_company_or_threads",
        move || invariance::bits_do_not_depend_on_company_or_threads(&make),
    ));
    all
}

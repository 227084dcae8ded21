//! Recorded numbers: see `tests/record/metrics.py`.

#![allow(clippy::unreadable_literal, clippy::excessive_precision, reason = "numbers as recorded")]

pub const BINARY_REQUESTED: &[(&str, f64)] = &[
    ("balanced_accuracy", 0.736999791996672),
    ("kappa", 0.4739957919663357),
    ("threat_score", 0.584518167456556),
    ("fowlkes_mallows", 0.7377870067699146),
    ("negative_predictive_value", 0.7354709418837675),
    ("false_discovery_rate", 0.26147704590818366),
    ("false_omission_rate", 0.26452905811623245),
    ("negative_rate", 0.499),
    ("informedness", 0.47399958399334396),
    ("markedness", 0.47399389597558383),
    ("positive_likelihood_ratio", 2.8019220826617195),
    ("negative_likelihood_ratio", 0.356807104009032),
    ("diagnostic_odds_ratio", 7.852764284061994),
    ("true_positives", 370.0),
    ("false_negatives", 132.0),
    ("weighted_count", 1000.0),
    ("ks", 0.4922638762220196),
    ("calibration_z", -5.227616903540888),
    ("brier_uncertainty", 0.249996),
    ("precision@0.3", 0.5482758620689655),
    ("recall@0.3", 0.950199203187251),
    ("f1@0.3", 0.6953352769679301),
    ("mcc@0.3", 0.239428551503065),
    ("accuracy@0.3", 0.582),
    ("false_positive_rate@0.3", 0.7891566265060241),
    ("recall@precision=0.75", 0.7231075697211156),
    ("precision@recall=0.8", 0.698961937716263),
    ("true_positive_rate@false_positive_rate=0.1", 0.46215139442231074),
    ("true_negative_rate@recall=0.9", 0.34337349397590367),
];

pub const BINARY_REQUESTED_WEIGHTED: &[(&str, f64)] = &[
    ("balanced_accuracy", 0.6746515307729963),
    ("kappa", 0.35027681152631773),
    ("threat_score", 0.4305958716401604),
    ("fowlkes_mallows", 0.6169733456438663),
    ("negative_predictive_value", 0.6318906526426774),
    ("false_discovery_rate", 0.22910999466960252),
    ("false_omission_rate", 0.3681093473573226),
    ("negative_rate", 0.682224926378161),
    ("informedness", 0.34930306154599267),
    ("markedness", 0.40278065797307483),
    ("positive_likelihood_ratio", 3.4175769212142795),
    ("negative_likelihood_ratio", 0.5917044466062537),
    ("diagnostic_odds_ratio", 5.775817540016708),
    ("true_positives", 120.3970397447863),
    ("false_negatives", 123.42638081491683),
    ("weighted_count", 491.4774155079017),
    ("ks", 0.42246492154074955),
    ("calibration_z", 6.42383550263375),
    ("brier_uncertainty", 0.24998481339566211),
    ("precision@0.3", 0.6029794192712779),
    ("recall@0.3", 0.8331156045929167),
    ("f1@0.3", 0.699607693217356),
    ("mcc@0.3", 0.3155486320827819),
    ("accuracy@0.3", 0.6450711124054802),
    ("false_positive_rate@0.3", 0.5400648120610061),
    ("recall@precision=0.75", 0.4937878382167382),
    ("precision@recall=0.8", 0.6029794192712777),
    ("true_positive_rate@false_positive_rate=0.1", 0.2792863779049286),
    ("true_negative_rate@recall=0.9", 0.24238803623186744),
];

pub const CALIBRATION: &[(&str, f64)] = &[
    ("calibration_error", 0.09955695125285416),
    ("calibration_error_debiased", 0.10721992089688799),
    ("max_calibration_error", 0.1909354052238259),
    ("brier_reliability", 0.013346818507841987),
    ("brier_resolution", 0.066776),
];

pub const CLASSES_REQUESTED: &[(&str, f64)] = &[
    ("pr_auc", 0.5022709533152235),
    ("mcc", 0.22270122625296682),
    ("kappa", 0.219966463049467),
    ("brier", 0.6050702338926239),
    ("macro_precision", 0.4885629052125333),
    ("macro_recall", 0.48021939549539033),
    ("weighted_precision", 0.48943179477646903),
    ("weighted_recall", 0.479),
    ("weighted_f1", 0.4773882275261167),
    ("auc_weighted", 0.6742047469718279),
    ("top_k_accuracy@2", 0.825),
    ("precision[b]", 0.5523012552301255),
    ("recall[c]", 0.5303030303030303),
    ("f1[a]", 0.47645429362880887),
    ("auc[c]", 0.6946720940750792),
    ("pr_auc[a]", 0.4745761882833197),
];

pub const CLASSES_REQUESTED_WEIGHTED: &[(&str, f64)] = &[
    ("pr_auc", 0.5308496593776448),
    ("mcc", 0.26668764971826425),
    ("kappa", 0.2634661840014568),
    ("brier", 0.5899511956362619),
    ("macro_precision", 0.5182176827866599),
    ("macro_recall", 0.5099184108358749),
    ("weighted_precision", 0.5208031110918696),
    ("weighted_recall", 0.506999813703119),
    ("weighted_f1", 0.5069465687753402),
    ("auc_weighted", 0.7030672101621085),
    ("top_k_accuracy@2", 0.8461936148937035),
    ("precision[b]", 0.596886099038569),
    ("recall[c]", 0.6085401539280555),
    ("f1[a]", 0.45148670905414906),
    ("auc[c]", 0.7429521217861068),
    ("pr_auc[a]", 0.46802088330264524),
];

pub const LABELS_REQUESTED: &[(&str, f64)] = &[
    ("pr_auc", 0.8692471201269228),
    ("macro_precision", 0.7832401913975465),
    ("macro_recall", 0.7750231473454559),
    ("micro_precision", 0.783410138248848),
    ("micro_recall", 0.7757496740547588),
    ("weighted_precision", 0.7841605266817108),
    ("weighted_f1", 0.7798935687745344),
    ("auc_weighted", 0.8638712719247468),
    ("sample_f1", 0.7228333333333332),
    ("jaccard", 0.669),
    ("label_ranking_precision", 0.9923333333333334),
    ("label_ranking_loss", 0.013),
    ("recall[b]", 0.7330677290836654),
    ("auc[a]", 0.8463302109883603),
];

pub const LABELS_REQUESTED_WEIGHTED: &[(&str, f64)] = &[
    ("pr_auc", 0.8648218447355475),
    ("macro_precision", 0.7845340507602109),
    ("macro_recall", 0.7839717827033584),
    ("micro_precision", 0.7836292593522024),
    ("micro_recall", 0.7839926274088429),
    ("weighted_precision", 0.7844851560042512),
    ("weighted_f1", 0.7841767452243422),
    ("auc_weighted", 0.8676246513538509),
    ("sample_f1", 0.7211901469474127),
    ("jaccard", 0.6697691380514208),
    ("label_ranking_precision", 0.9931152820387507),
    ("label_ranking_loss", 0.011990145129975746),
    ("recall[b]", 0.7611618528058394),
    ("auc[a]", 0.8483309547847753),
];

pub const REGRESSION_REQUESTED: &[(&str, f64)] = &[
    ("median_absolute_error", 3.382681032916782),
    ("max_error", 12.582935205507948),
    ("explained_variance", 0.9861685311340833),
    ("correlation", 0.9940931369044642),
];

pub const POSITIVE_REQUESTED: &[(&str, f64)] = &[
    ("msle", 0.024074770132437584),
    ("poisson_deviance", 0.5681735628163309),
    ("gamma_deviance", 0.023366322092714456),
];

pub const REGRESSION_REQUESTED_WEIGHTED: &[(&str, f64)] = &[
    ("median_absolute_error", 2.995530856417517),
    ("max_error", 12.582935205507948),
    ("explained_variance", 0.9859555354684547),
    ("correlation", 0.9939460262468709),
];

pub const POSITIVE_REQUESTED_WEIGHTED: &[(&str, f64)] =
    &[("msle", 0.0214448697646809), ("poisson_deviance", 0.5412352084146006), ("gamma_deviance", 0.02072389052060352)];

pub const QUANTILES_REQUESTED: &[(&str, f64)] =
    &[("pinball_loss@0.9", 2.2389039510345334), ("pinball_loss@0.1", 3.962600127382999), ("coverage@0.5", 0.97)];

pub const RANKING_REQUESTED: &[(&str, f64)] = &[
    ("ndcg@7", 0.6574621576688722),
    ("precision@3", 0.6500000000000001),
    ("recall@3", 0.37813095238095246),
    ("mrr@2", 0.845),
    ("map@3", 0.5955555555555556),
];

pub const FAIRNESS: &[(&str, f64)] = &[
    ("demographic_parity_difference[g]", 0.043498588408768024),
    ("demographic_parity_ratio[g]", 0.9176986935220468),
    ("equalized_odds_difference[g]", 0.09116809116809119),
    ("equalized_odds_ratio[g]", 0.6908212560386473),
    ("equal_opportunity_difference[g]", 0.02450980392156865),
    ("difference(recall)[g]", 0.02450980392156865),
    ("difference_to_overall(recall)[g]", 0.01294820717131473),
    ("ratio(recall)[g]", 0.9673202614379085),
    ("difference(auc)[g]", 0.04410962490077852),
];

pub const FAIRNESS_WEIGHTED: &[(&str, f64)] = &[
    ("demographic_parity_difference[g]", 0.04314093259562962),
    ("demographic_parity_ratio[g]", 0.8730308858160206),
    ("equalized_odds_difference[g]", 0.04579108439760332),
    ("equalized_odds_ratio[g]", 0.730332415812599),
    ("equal_opportunity_difference[g]", 0.026739081716316337),
    ("difference(recall)[g]", 0.026739081716316837),
    ("difference_to_overall(recall)[g]", 0.014399512403058534),
    ("ratio(recall)[g]", 0.947383417387888),
    ("difference(auc)[g]", 0.018326805072180874),
];

/// The ends of the interval of the AUC, then of its change.
pub const DELONG: [f64; 4] = [0.7582557210781886, 0.8157614631967598, 0.02513531710376622, 0.0725862464412506];

"""Prints `trips.pb` with TensorFlow Metadata's own classes, and makes a list as TFDV would.

    python3 -m venv venv && venv/bin/pip install tensorflow-metadata==1.21.0
    cargo test -p tidemill-validation --test it -- --ignored     # writes trips.pb
    venv/bin/python crates/tidemill-validation/tests/tfdv/record.py

Recorded with tensorflow-metadata 1.21.0, protobuf 7.36.2.
"""

import pathlib

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

here = pathlib.Path(__file__).parent
statistics = statistics_pb2.DatasetFeatureStatisticsList()
statistics.ParseFromString((here / "trips.pb").read_bytes())
# Every field of ours is one of theirs.
assert len(statistics.SerializeToString()) == len((here / "trips.pb").read_bytes())
(here / "trips.pbtxt").write_text(text_format.MessageToString(statistics))

made = statistics_pb2.DatasetFeatureStatisticsList()
everything = made.datasets.add(name="All Examples", num_examples=10000)
trip = everything.features.add(type=statistics_pb2.FeatureNameStatistics.STRUCT)
trip.path.step.append("trip")
trip.struct_stats.common_stats.num_non_missing = 10000
fare = everything.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
fare.path.step.extend(["trip", "fare"])
numbers = fare.num_stats
numbers.mean, numbers.std_dev, numbers.min, numbers.median, numbers.max = 11.75, 3.5, 0.0, 10.25, float("inf")
common = numbers.common_stats
common.num_non_missing, common.num_missing, common.tot_num_values = 9988, 12, 9988
common.min_num_values = common.max_num_values = 1
common.avg_num_values = 1.0
for kind in ("STANDARD", "QUANTILES"):
    histogram = numbers.histograms.add(type=kind, num_nan=3)
    histogram.buckets.add(low_value=0.0, high_value=10.25, sample_count=4994)
    histogram.buckets.add(low_value=10.25, high_value=40.0, sample_count=4994)
paid = everything.features.add(name="payment_type", type=statistics_pb2.FeatureNameStatistics.STRING)
paid.string_stats.common_stats.CopyFrom(common)
paid.string_stats.unique = 2
paid.string_stats.avg_length = 6.8
for rank, (value, count) in enumerate([("Cash", 6000), ("Credit Card", 3988)]):
    paid.string_stats.top_values.add(value=value, frequency=count)
    paid.string_stats.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)
made.datasets.add(name="payment_type_Cash", num_examples=6000).features.add().CopyFrom(paid)
# What TFDV's generators, and those of others, say beside.
said = paid.custom_stats
said.add(name="avg_token_length", num=6.5)
said.add(name="verdict", str="fine")
said.add(name="odd", num=float("nan"))
tokens = said.add(name="tokens").rank_histogram.buckets
tokens.add(low_rank=0, high_rank=0, label="cash", sample_count=6000)
tokens.add(low_rank=1, high_rank=1, label="credit", sample_count=3988)
lengths = said.add(name="lengths").histogram.buckets
lengths.add(low_value=1, high_value=2, sample_count=10)
lengths.add(low_value=2, high_value=3, sample_count=4)
anything = said.add(name="anything").any
anything.type_url, anything.value = "type.example.com/Any", b"\x08\x01"
# As `sparse_feature_stats_generator.py` and `weighted_feature_stats_generator.py` name them.
tags = everything.features.add(name="tags").custom_stats
everything.features[-1].ClearField("field_id")
everything.features[-1].path.step.append("tags")
tags.add(name="missing_value", num=7)
for name, counts in [("missing_index", (0, 3)), ("max_length_diff", (0, 2)), ("min_length_diff", (0, -1))]:
    buckets = tags.add(name=name).rank_histogram.buckets
    for label, count in zip(("at", "of"), counts):
        buckets.add(label=label, sample_count=count)
likes = everything.features.add().custom_stats
everything.features[-1].path.step.append("likes")
for name, count in [("missing_value", 0), ("missing_weight", 5), ("min_weight_length_diff", 0), ("max_weight_length_diff", 0)]:
    likes.add(name=name, num=count)
(here / "by_tfdv.pbtxt").write_text(text_format.MessageToString(made))

"""Prints `trips.pb` with TensorFlow Metadata's own classes, and makes a list as TFDV would.

    python3 -m venv venv && venv/bin/pip install tensorflow-metadata==1.21.0
    cargo test -p tidemill-data --test statistics_file -- --ignored     # writes trips.pb
    venv/bin/python crates/tidemill-data/tests/tfdv/record.py

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
(here / "by_tfdv.pbtxt").write_text(text_format.MessageToString(made))

"""Writes the recorded files of this folder with other tools.

pip install tfrecord==1.14.6 fastavro==1.13.1 python-snappy==0.7.3 backports.zstd; python make.py
"""

import datetime
import decimal
import gzip
import os
import uuid

import fastavro
from tfrecord import example_pb2
from tfrecord.writer import TFRecordWriter

here = os.path.dirname(os.path.abspath(__file__))

rows = [
    {"id": (1, "int"), "fare": (0.1, "float"), "name": ("Café".encode(), "byte"), "tags": ([1, -2], "int"),
     "image": (b"\x89PNG", "byte")},
    {"id": (-9223372036854775808, "int"), "fare": (float("inf"), "float"), "tags": ([7], "int"),
     "image": (b"abc", "byte")},
    {"id": (9223372036854775807, "int"), "name": (b"", "byte"), "words": ([b"a", b"bc"], "byte")},
]
plain = os.path.join(here, "trips.tfrecord")
writer = TFRecordWriter(plain)
for row in rows:
    writer.write(row)
# As TensorFlow's CsvExampleGen writes a missing value (a feature without a kind), and an empty list.
example = example_pb2.Example()
example.features.feature["id"]
example.features.feature["tags"].int64_list.SetInParent()
record = example.SerializeToString()
writer.file.write(len(record).to_bytes(8, "little"))
writer.file.write(TFRecordWriter.masked_crc(len(record).to_bytes(8, "little")))
writer.file.write(record)
writer.file.write(TFRecordWriter.masked_crc(record))
writer.close()
with open(plain, "rb") as source, open(plain + ".gz", "wb") as target:
    target.write(gzip.compress(source.read(), mtime=0))

schema = {
    "type": "record", "name": "Trip", "fields": [
        {"name": "id", "type": "long"},
        {"name": "seconds", "type": ["null", "int"]},
        {"name": "fare", "type": ["double", "null"]},
        {"name": "share", "type": "float"},
        {"name": "shared", "type": "boolean"},
        {"name": "company", "type": ["null", "string"]},
        {"name": "payment", "type": {"type": "enum", "name": "Payment", "symbols": ["Cash", "Card"]}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "start", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "end", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "tip", "type": {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}},
        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "photo", "type": "bytes"},
        {"name": "note", "type": "bytes"},
        {"name": "stops", "type": {"type": "array", "items": "long"}},
        {"name": "words", "type": ["null", {"type": "array", "items": ["null", "string"]}]},
        {"name": "rider", "type": ["null", {"type": "record", "name": "Rider", "fields": [
            {"name": "age", "type": ["null", "int"]}, {"name": "city", "type": "string"}]}]},
    ],
}
utc = datetime.timezone.utc
moment = datetime.datetime(2024, 2, 29, 12, 0, 0, 500000)
trips = [
    {"id": 1, "seconds": 0, "fare": 0.0, "share": 0.5, "shared": False, "company": "", "payment": "Cash",
     "day": datetime.date(2024, 2, 29), "start": moment.replace(tzinfo=utc), "end": moment.replace(tzinfo=utc),
     "local": moment, "tip": decimal.Decimal("1.25"), "key": uuid.UUID(int=1), "photo": b"\xff\xd8", "note": b"caf\xc3\xa9",
     "stops": [1, 2], "words": ["a", None], "rider": {"age": 30, "city": "Oslo"}},
    {"id": -2, "seconds": None, "fare": None, "share": -0.25, "shared": True, "company": None, "payment": "Card",
     "day": datetime.date(1969, 12, 31), "start": None, "end": moment.replace(tzinfo=utc),
     "local": moment, "tip": decimal.Decimal("-3.00"), "key": uuid.UUID(int=2), "photo": b"", "note": b"",
     "stops": [], "words": None, "rider": None},
]
for codec in ["null", "deflate", "snappy", "zstandard"]:
    with open(os.path.join(here, f"trips-{codec}.avro"), "wb") as target:
        # A record a block.
        fastavro.writer(target, schema, trips, codec=codec, sync_interval=1, sync_marker=bytes(range(16)))

"""Writes the attributes of every operator, all versions together, from the schemas of the `onnx` package."""
import collections
from onnx import defs
at=collections.defaultdict(set)
for s in defs.get_all_schemas_with_history():
    if s.domain in ('','ai.onnx.ml'): at[(s.domain,s.name)] |= set(s.attributes)
out=['//! The attributes that ONNX defines for each operator, in all versions together.','//!','//! Written by `scripts/conformance/operators` from the schemas of the `onnx` package; do not edit.','',
'/// Domain, operator and its attributes, sorted.','pub(super) const ATTRIBUTES: &[(&str, &str, &[&str])] = &[']
for (d,n),a in sorted(at.items()):
    out.append('    ("%s", "%s", &[%s]),'%(d,n,', '.join('"%s"'%x for x in sorted(a))))
out.append('];')
print('\n'.join(out))

//! Schemas as TensorFlow Metadata writes them: the text form of its message `Schema`, `schema.pbtxt`.
//!
//! What one side cannot say is left out and told in a note; nothing is left out in silence.
//!
//! | Tidemill | TensorFlow Metadata |
//! |---|---|
//! | `int`, `float` | `INT`, `FLOAT` |
//! | `string`, `bytes` | `BYTES` (read as `string`, as `bytes` beside an `image_domain`) |
//! | `bool` | `BYTES` with a `bool_domain` of `true` and `false` |
//! | a dotted path (`rider.age`) | the same name, or a feature inside a `STRUCT` |
//! | `drift: { jensen_shannon, bins: equal_width }` | `jensen_shannon_divergence` with source `STANDARD`, its default |
//! | `semantic: url`, `free_text` | `url_domain`, `natural_language_domain` |
//! | `environments` | `default_environment` |

mod read;
mod write;

pub use read::schema_from_pbtxt;
pub use write::schema_to_pbtxt;

//! What fields the messages have, for the text form.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let sets = [
        crate::metadata::FILE_DESCRIPTOR_SET,
        crate::serving::FILE_DESCRIPTOR_SET,
        crate::analysis::FILE_DESCRIPTOR_SET,
    ];
    let mut types = Types::default();
    for file in sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap_or_default().file) {
        let scope = format!(".{}", file.package());
        file.message_type.iter().for_each(|message| types.add_message(&scope, message));
        file.enum_type.iter().for_each(|numbers| types.add_enum(&scope, numbers));
    }
    types
});

/// Messages and enumerations by their full name, as `.tensorflow.metadata.v0.Schema`.
#[derive(Debug, Default)]
pub(super) struct Types {
    messages: HashMap<String, Vec<Field>>,
    enums: HashMap<String, Vec<(String, i32)>>,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub number: u32,
    pub repeated: bool,
    pub kind: Type,
    /// Full name of the message or enumeration that it holds.
    pub type_name: String,
    /// The group of fields of which only one is set.
    pub one_of: Option<i32>,
}

impl Types {
    /// Those of every generated message.
    pub fn known() -> &'static Self {
        &TYPES
    }

    /// The fields of a message, by number.
    pub fn fields(&self, message: &str) -> &[Field] {
        self.messages.get(message).map_or(&[], Vec::as_slice)
    }

    /// Whether there is such a message.
    pub fn has(&self, message: &str) -> bool {
        self.messages.contains_key(message)
    }

    /// The values of an enumeration.
    pub fn values(&self, numbers: &str) -> &[(String, i32)] {
        self.enums.get(numbers).map_or(&[], Vec::as_slice)
    }

    fn add_message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        message.nested_type.iter().for_each(|nested| self.add_message(&name, nested));
        message.enum_type.iter().for_each(|numbers| self.add_enum(&name, numbers));
        let field = |field: &prost_types::FieldDescriptorProto| Field {
            name: field.name().to_owned(),
            number: field.number().unsigned_abs(),
            repeated: field.label() == Label::Repeated,
            kind: field.r#type(),
            type_name: field.type_name().to_owned(),
            one_of: field.oneof_index,
        };
        let mut fields: Vec<Field> = message.field.iter().map(field).collect();
        fields.sort_by_key(|field| field.number);
        self.messages.insert(name, fields);
    }

    fn add_enum(&mut self, scope: &str, numbers: &EnumDescriptorProto) {
        let values = numbers.value.iter().map(|value| (value.name().to_owned(), value.number())).collect();
        self.enums.insert(format!("{scope}.{}", numbers.name()), values);
    }
}

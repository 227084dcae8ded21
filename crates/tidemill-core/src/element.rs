//! Element types of tensors, as models of other programs declare them.

use std::fmt;

macro_rules! elements {
    ($($name:ident $oip:literal $tf:literal $doc:literal;)*) => {
        /// Type of the elements of a tensor. [`DataType`](crate::DataType) has the types of columns.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ElementType {
            $(#[doc = $doc] $name,)*
        }

        impl ElementType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the Open Inference Protocol; types that it lacks have a name of the same form.
            pub const fn oip_name(self) -> &'static str {
                match self { $(Self::$name => $oip,)* }
            }

            /// The name in TensorFlow Serving.
            pub const fn tf_name(self) -> &'static str {
                match self { $(Self::$name => $tf,)* }
            }
        }
    };
}

elements! {
    Bool "BOOL" "DT_BOOL" "True or false.";
    Uint8 "UINT8" "DT_UINT8" "8-bit unsigned integers.";
    Uint16 "UINT16" "DT_UINT16" "16-bit unsigned integers.";
    Uint32 "UINT32" "DT_UINT32" "32-bit unsigned integers.";
    Uint64 "UINT64" "DT_UINT64" "64-bit unsigned integers.";
    Int8 "INT8" "DT_INT8" "8-bit signed integers.";
    Int16 "INT16" "DT_INT16" "16-bit signed integers.";
    Int32 "INT32" "DT_INT32" "32-bit signed integers.";
    Int64 "INT64" "DT_INT64" "64-bit signed integers.";
    Fp16 "FP16" "DT_HALF" "16-bit floating-point numbers.";
    Bf16 "BF16" "DT_BFLOAT16" "32-bit floating-point numbers without the lower half.";
    Fp32 "FP32" "DT_FLOAT" "32-bit floating-point numbers.";
    Fp64 "FP64" "DT_DOUBLE" "64-bit floating-point numbers.";
    Bytes "BYTES" "DT_STRING" "Texts.";
    Fp8E4m3fn "FP8_E4M3FN" "DT_FLOAT8_E4M3FN" "8-bit floating-point numbers, without infinities.";
    Fp8E4m3fnuz "FP8_E4M3FNUZ" "DT_FLOAT8_E4M3FNUZ" "8-bit floating-point numbers with one zero.";
    Fp8E5m2 "FP8_E5M2" "DT_FLOAT8_E5M2" "8-bit floating-point numbers with infinities.";
    Fp8E5m2fnuz "FP8_E5M2FNUZ" "DT_FLOAT8_E5M2FNUZ" "8-bit floating-point numbers with one zero and a wide range.";
    Fp8E8m0 "FP8_E8M0" "DT_FLOAT8_E8M0FNU" "Powers of two in 8 bits.";
    Fp4E2m1 "FP4_E2M1" "DT_FLOAT4_E2M1FN" "4-bit floating-point numbers.";
    Uint4 "UINT4" "DT_UINT4" "4-bit unsigned integers.";
    Int4 "INT4" "DT_INT4" "4-bit signed integers.";
    Uint2 "UINT2" "DT_UINT2" "2-bit unsigned integers.";
    Int2 "INT2" "DT_INT2" "2-bit signed integers.";
}

impl ElementType {
    /// The type of this name in the Open Inference Protocol.
    pub fn of_oip_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|element| element.oip_name() == name)
    }

    /// Bytes of an element in binary tensors; `None` for texts, and for elements that share a byte.
    pub const fn width(self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::Uint8 | Self::Int8 => 1,
            Self::Fp8E4m3fn | Self::Fp8E4m3fnuz | Self::Fp8E5m2 | Self::Fp8E5m2fnuz | Self::Fp8E8m0 => 1,
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => 2,
            Self::Uint32 | Self::Int32 | Self::Fp32 => 4,
            Self::Uint64 | Self::Int64 | Self::Fp64 => 8,
            Self::Bytes | Self::Fp4E2m1 | Self::Uint4 | Self::Int4 | Self::Uint2 | Self::Int2 => return None,
        })
    }

    /// Whether elements are whole numbers.
    pub const fn is_integer(self) -> bool {
        self.range().is_some()
    }

    /// Whether elements are floating-point numbers.
    pub const fn is_float(self) -> bool {
        !matches!(self, Self::Bool | Self::Bytes) && !self.is_integer()
    }

    /// The least and the largest whole number of the type.
    pub const fn range(self) -> Option<(i128, i128)> {
        let (signed, bits) = match self {
            Self::Uint2 => (false, 2),
            Self::Uint4 => (false, 4),
            Self::Uint8 => (false, 8),
            Self::Uint16 => (false, 16),
            Self::Uint32 => (false, 32),
            Self::Uint64 => (false, 64),
            Self::Int2 => (true, 2),
            Self::Int4 => (true, 4),
            Self::Int8 => (true, 8),
            Self::Int16 => (true, 16),
            Self::Int32 => (true, 32),
            Self::Int64 => (true, 64),
            _ => return None,
        };
        Some(if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) })
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.oip_name())
    }
}

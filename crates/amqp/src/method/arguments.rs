//! How the arguments of a method are read and written, field by field.

use crate::field::TableRef;
use crate::wire::{Reader, Writer};

/// What is wrong with the arguments of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentError {
    /// They are shorter or longer than the method's fields.
    Shape,
    /// A short string is not UTF-8.
    Utf8,
    /// A field table cannot be read.
    Table,
}

/// A type that a method's field may have.
pub(crate) trait Argument<'a>: Sized {
    /// The field as it lies in the payload. RabbitMQ looks at the shape of all fields before it looks into one, so
    /// strings and tables are checked in a second step.
    type Raw: Copy;

    fn read(reader: &mut Reader<'a>) -> Option<Self::Raw>;
    fn check(raw: Self::Raw) -> Result<Self, ArgumentError>;
    fn write(&self, writer: &mut Writer<'_>);
}

macro_rules! plain {
    ($($type:ty: $read:ident, |$writer:ident, $value:ident| $write:expr;)*) => {$(
        impl<'a> Argument<'a> for $type {
            type Raw = $type;

            #[inline]
            fn read(reader: &mut Reader<'a>) -> Option<$type> {
                reader.$read()
            }

            #[inline]
            fn check(raw: $type) -> Result<$type, ArgumentError> {
                Ok(raw)
            }

            #[inline]
            fn write(&self, $writer: &mut Writer<'_>) {
                let $value = *self;
                $write;
            }
        }
    )*};
}

plain! {
    u8: u8, |writer, value| writer.bytes(&[value]);
    u16: u16, |writer, value| writer.bytes(&value.to_be_bytes());
    u32: u32, |writer, value| writer.bytes(&value.to_be_bytes());
    u64: u64, |writer, value| writer.bytes(&value.to_be_bytes());
    bool: bit, |writer, value| writer.bit(value);
}

/// Short string.
impl<'a> Argument<'a> for &'a str {
    type Raw = &'a [u8];

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.shortstr()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<&'a str, ArgumentError> {
        std::str::from_utf8(raw).map_err(|_| ArgumentError::Utf8)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.shortstr(self);
    }
}

/// A short string as it arrived, which need not be UTF-8: the names in basic.publish, which RabbitMQ does not look into
/// either, and whose check would cost more than the rest of the method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortBytes<'a>(pub &'a [u8]);

impl<'a> From<&'a str> for ShortBytes<'a> {
    fn from(text: &'a str) -> ShortBytes<'a> {
        ShortBytes(text.as_bytes())
    }
}

impl<'a> Argument<'a> for ShortBytes<'a> {
    type Raw = &'a [u8];

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.shortstr()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<ShortBytes<'a>, ArgumentError> {
        Ok(ShortBytes(raw))
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.shortbytes(self.0);
    }
}

/// Long string.
impl<'a> Argument<'a> for &'a [u8] {
    type Raw = &'a [u8];

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.longstr()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<&'a [u8], ArgumentError> {
        Ok(raw)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.longstr(self);
    }
}

impl<'a> Argument<'a> for TableRef<'a> {
    type Raw = &'a [u8];

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.longstr()
    }

    fn check(raw: &'a [u8]) -> Result<TableRef<'a>, ArgumentError> {
        TableRef::parse(raw).map_err(|_| ArgumentError::Table)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.longstr(self.bytes());
    }
}

/// The methods of one class: `Name(reserved before) { fields } (reserved after)`, in the order of the specification.
/// Reserved fields are checked and dropped, and written as zero, false or empty.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $(<$lt:lifetime>)?
        ($($before:ident: $before_type:ty),*)
        { $($field:ident: $type:ty),* $(,)? }
        ($($after:ident: $after_type:ty),*);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the fields carry the specification's names")]
        pub struct $name $(<$lt>)? {
            $(pub $field: $type,)*
        }

        impl $(<$lt>)? $name $(<$lt>)? {
            #[inline]
            pub(crate) fn decode(
                arguments: & $($lt)? [u8],
            ) -> Result<Self, $crate::method::arguments::ArgumentError> {
                #[allow(unused_imports, reason = "a method may have no fields")]
                use $crate::method::arguments::{Argument, ArgumentError::Shape};
                #[allow(unused_mut, reason = "a method may have no fields")]
                let mut reader = $crate::wire::Reader::new(arguments);
                $(let $before = <$before_type as Argument<'_>>::read(&mut reader).ok_or(Shape)?;)*
                $(let $field = <$type as Argument<'_>>::read(&mut reader).ok_or(Shape)?;)*
                $(let $after = <$after_type as Argument<'_>>::read(&mut reader).ok_or(Shape)?;)*
                if !reader.rest().is_empty() {
                    return Err(Shape);
                }
                $(<$before_type as Argument<'_>>::check($before)?;)*
                let method = $name { $($field: <$type as Argument<'_>>::check($field)?,)* };
                $(<$after_type as Argument<'_>>::check($after)?;)*
                Ok(method)
            }

            #[inline]
            pub(crate) fn encode(&self, out: &mut Vec<u8>) {
                #[allow(unused_imports, reason = "a method may have no fields")]
                use $crate::method::arguments::Argument;
                #[allow(unused_mut, unused_variables, reason = "a method may have no fields")]
                let mut writer = $crate::wire::Writer::new(out);
                $(Argument::write(&<$before_type>::default(), &mut writer);)*
                $(Argument::write(&self.$field, &mut writer);)*
                $(Argument::write(&<$after_type>::default(), &mut writer);)*
            }
        }
    )*};
}

pub(crate) use methods;

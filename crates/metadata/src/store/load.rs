//! Reading the whole file into a snapshot.

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition};

use super::codec::decoded_table;
use super::tables::{
    BINDINGS, EXCHANGES, GLOBAL_PARAMETERS, LEVERET, NEXT_QUID, PARAMETERS, PERMISSIONS, POLICIES, QUEUES, Record,
    TOPIC_PERMISSIONS, USERS, VHOSTS,
};
use super::{LoadError, record};
use crate::Snapshot;

/// Every definition of the file, in the order of the tables' keys.
pub(super) fn snapshot(transaction: &ReadTransaction) -> Result<Snapshot, LoadError> {
    Ok(Snapshot {
        vhosts: read(transaction, VHOSTS, record::decode_vhost)?,
        users: read(transaction, USERS, record::decode_user)?,
        permissions: read(transaction, PERMISSIONS, record::decode_permission)?,
        topic_permissions: read(transaction, TOPIC_PERMISSIONS, record::decode_topic_permission)?,
        exchanges: read(transaction, EXCHANGES, record::decode_exchange)?,
        queues: read(transaction, QUEUES, record::decode_queue)?,
        bindings: read(transaction, BINDINGS, |key, bytes| {
            let (vhost, source, kind, destination, routing_key, arguments) = key;
            let arguments = decoded_table(arguments)?;
            record::decode_binding((vhost, source, kind, destination, routing_key, arguments), bytes)
        })?,
        policies: read(transaction, POLICIES, record::decode_policy)?,
        parameters: read(transaction, PARAMETERS, record::decode_parameter)?,
        global_parameters: read(transaction, GLOBAL_PARAMETERS, record::decode_global_parameter)?,
        next_quid: transaction.open_table(LEVERET)?.get(NEXT_QUID)?.map_or(0, |value| value.value()),
    })
}

fn read<K: Key + 'static, T>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'_, K, Record>,
    decode: impl for<'a> Fn(K::SelfType<'a>, &[u8]) -> Option<T>,
) -> Result<Vec<T>, LoadError> {
    use redb::TableHandle;
    let table = transaction.open_table(definition)?;
    let mut definitions = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let decoded = decode(key.value(), value.value())
            .ok_or_else(|| LoadError::Record { table: definition.name().to_owned(), at: definitions.len() })?;
        definitions.push(decoded);
    }
    Ok(definitions)
}

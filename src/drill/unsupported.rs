//! The calls of immudb that the embedded ledger does not have: the error reports that, so that a user does not look
//! for a fault elsewhere.

use super::status::Status;

/// UNIMPLEMENTED of gRPC.
const UNIMPLEMENTED: i32 = 12;

macro_rules! calls {
    ($service:literal: $($name:literal)+) => {
        &[$(concat!("/", $service, "/", $name)),+]
    };
}

const SQL: &[&str] = calls!("immudb.schema.ImmuService":
    "SQLExec" "SQLQuery" "UnarySQLQuery" "VerifiableSQLGet" "ListTables" "DescribeTable"
    "NewTx" "Commit" "Rollback" "TxSQLExec" "TxSQLQuery");

const STREAMS: &[&str] = calls!("immudb.schema.ImmuService":
    "streamGet" "streamSet" "streamVerifiableGet" "streamVerifiableSet" "streamScan" "streamZScan"
    "streamHistory" "streamExecAll" "exportTx" "replicateTx" "streamExportTx");

const DOCUMENTS: &[&str] = calls!("immudb.model.DocumentService":
    "CreateCollection" "GetCollections" "GetCollection" "UpdateCollection" "DeleteCollection"
    "AddField" "RemoveField" "CreateIndex" "DeleteIndex" "InsertDocuments" "ReplaceDocuments"
    "DeleteDocuments" "SearchDocuments" "CountDocuments" "AuditDocument" "ProofDocument");

const DOCUMENT_SESSIONS: &[&str] = calls!("immudb.model.AuthorizationService":
    "OpenSession" "KeepAlive" "CloseSession");

const ADMINISTRATION: &[&str] = calls!("immudb.schema.ImmuService":
    "ListUsers" "CreateUser" "ChangePassword" "ChangePermission" "ChangeSQLPrivileges" "SetActiveUser"
    "UpdateAuthConfig" "UpdateMTLSConfig" "CreateDatabaseWith" "DeleteDatabase" "UpdateDatabase"
    "UpdateDatabaseV2" "GetDatabaseSettings" "GetDatabaseSettingsV2" "FlushIndex" "CompactIndex"
    "TruncateDatabase");

/// Returns each of these calls by its full name, with its error.
pub(super) fn calls() -> impl Iterator<Item = (&'static str, Status)> {
    let groups = [
        (SQL, "no SQL"),
        (STREAMS, "no streams"),
        (DOCUMENTS, "no documents"),
        (DOCUMENT_SESSIONS, "no documents"),
        (ADMINISTRATION, "no users, settings or maintenance"),
    ];
    groups.into_iter().flat_map(|(calls, missing)| {
        let words =
            format!("the embedded ledger of immuaudit has {missing}: it only has keys and values");
        let refused = Status::new(UNIMPLEMENTED, words);
        calls.iter().map(move |call| (*call, refused.clone()))
    })
}

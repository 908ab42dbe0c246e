//! Names of the calls (protocol.md §1). Client and embedded server send raw bytes: `decode` decodes them, and
//! evidence can store a response exactly as it came.

use grpcio::{Marshaller, MessageReader, Method, MethodType};

/// Returns a call by its full name, with requests and responses as bytes.
pub const fn unary(name: &'static str) -> Method<Vec<u8>, Vec<u8>> {
    const RAW: Marshaller<Vec<u8>> = Marshaller { ser, de };
    Method {
        ty: MethodType::Unary,
        name,
        req_mar: RAW,
        resp_mar: RAW,
    }
}

/// Returns the name of a call without its path, such as `CurrentState`.
pub fn short(name: &'static str) -> &'static str {
    name.rsplit('/').next().unwrap_or(name)
}

// grpcio prescribes the signatures
#[allow(clippy::ptr_arg)]
fn ser(bytes: &Vec<u8>, buffer: &mut grpcio::GrpcSlice) -> grpcio::Result<()> {
    *buffer = bytes.clone().into();
    Ok(())
}

fn de(mut reader: MessageReader) -> grpcio::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(reader.len());
    std::io::Read::read_to_end(&mut reader, &mut bytes)
        .map_err(|error| grpcio::Error::Codec(error.into()))?;
    Ok(bytes)
}

macro_rules! methods {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: &str = concat!("/immudb.schema.ImmuService/", $name);
        )+
    };
}

methods! {
    LOGIN = "Login",
    LOGOUT = "Logout",
    OPEN_SESSION = "OpenSession",
    CLOSE_SESSION = "CloseSession",
    KEEP_ALIVE = "KeepAlive",
    DATABASE_LIST = "DatabaseList",
    USE_DATABASE = "UseDatabase",
    CURRENT_STATE = "CurrentState",
    VERIFIABLE_TX_BY_ID = "VerifiableTxById",
    TX_BY_ID = "TxById",
    TX_SCAN = "TxScan",
    GET = "Get",
    VERIFIABLE_GET = "VerifiableGet",
    SET = "Set",
    VERIFIABLE_SET = "VerifiableSet",
    HEALTH = "Health",
    SERVER_INFO = "ServerInfo",
    DELETE = "Delete",
    EXEC_ALL = "ExecAll",
    SET_REFERENCE = "SetReference",
    VERIFIABLE_SET_REFERENCE = "VerifiableSetReference",
    Z_ADD = "ZAdd",
    VERIFIABLE_Z_ADD = "VerifiableZAdd",
    GET_ALL = "GetAll",
    SCAN = "Scan",
    HISTORY = "History",
    COUNT = "Count",
    COUNT_ALL = "CountAll",
    Z_SCAN = "ZScan",
    DATABASE_HEALTH = "DatabaseHealth",
    DATABASE_LIST_V2 = "DatabaseListV2",
    CREATE_DATABASE = "CreateDatabase",
    CREATE_DATABASE_V2 = "CreateDatabaseV2",
    LOAD_DATABASE = "LoadDatabase",
    UNLOAD_DATABASE = "UnloadDatabase",
}

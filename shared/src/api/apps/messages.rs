//! What an application may say to the module of apps. One flat shape for all parameters, as for the engine.

use serde::Deserialize;

use crate::api::messages::WireValue;

/// A method and its parameters.
#[derive(Clone, Debug)]
pub enum AppCall {
    Rpc(RpcCall),
    Direct(DirectCall),
    Chat(ChatCall),
    #[cfg(feature = "files")]
    Files(FilesCall),
    Close {},
}

/// The parameters of any method. What is missing is empty, and refused as such by whoever needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AppParams {
    id: String,
    namespace: String,
    method: String,
    text: String,
    ttl_ms: Option<f64>,
    call: f64,
    direct: Option<DirectAction>,
    target: String,
    value: Option<WireValue>,
    place: Option<f64>,
    limit: Option<f64>,
    chat: Option<ChatAction>,
    room: String,
    nick: String,
    on: bool,
    #[cfg(feature = "files")]
    files: Option<FilesAction>,
}

impl AppParams {
    /// The call of a method; nothing if there is no such method, or if what it cannot do without is
    /// missing.
    pub fn call(self, method: &str) -> Option<AppCall> {
        Some(match method {
            "chat" => AppCall::Chat(ChatCall {
                action: self.chat?,
                room: self.room,
                text: self.text,
                nick: self.nick,
                id: self.id,
                on: self.on,
                limit: self.limit,
            }),
            "direct" => AppCall::Direct(DirectCall {
                action: self.direct?,
                to: self.target,
                value: self.value,
                id: self.id,
                known: self.text,
                place: self.place,
                limit: self.limit,
            }),
            #[cfg(feature = "files")]
            "files" => AppCall::Files(FilesCall {
                action: self.files?,
                id: self.id,
                text: self.text,
                call: self.call,
                place: self.place,
                limit: self.limit,
                value: self.value,
            }),
            "close" => AppCall::Close {},
            other => AppCall::Rpc(RpcCall {
                action: RpcAction::of(other)?,
                id: self.id,
                namespace: self.namespace,
                method: self.method,
                text: self.text,
                patience: self.ttl_ms,
                call: self.call,
            }),
        })
    }
}

/// A call about JSON commands, in one shape as those about names.
#[derive(Clone, Debug)]
pub struct RpcCall {
    /// What to do.
    pub action: RpcAction,
    /// Which peer is called; empty when a member of the namespace is.
    pub id: String,
    /// See `id`.
    pub namespace: String,
    /// What is called, or served.
    pub method: String,
    /// What else is to be said, as JSON: parameters, calls of a batch, a rule, a result, an error, weights.
    pub text: String,
    /// How long to wait, in milliseconds.
    pub patience: Option<f64>,
    /// Which call of another peer this is about.
    pub call: f64,
}

/// What can be done with commands: calls of others, and what is told to those who call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcAction {
    Call,
    Stream,
    Notify,
    Batch,
    Serve,
    Describe,
    Select,
    Reputation,
    Result,
    Item,
    End,
    Fault,
}

impl RpcAction {
    /// That of a method of the boundary.
    pub(super) fn of(method: &str) -> Option<RpcAction> {
        Some(match method {
            "rpcCall" => RpcAction::Call,
            "rpcStream" => RpcAction::Stream,
            "rpcNotify" => RpcAction::Notify,
            "rpcBatch" => RpcAction::Batch,
            "rpcServe" => RpcAction::Serve,
            "rpcDescribe" => RpcAction::Describe,
            "rpcSelect" => RpcAction::Select,
            "rpcReputation" => RpcAction::Reputation,
            "rpcResult" => RpcAction::Result,
            "rpcItem" => RpcAction::Item,
            "rpcEnd" => RpcAction::End,
            "rpcFault" => RpcAction::Fault,
            _ => return None,
        })
    }
}

/// A call about direct messages, in one shape as well.
#[derive(Clone, Debug)]
pub struct DirectCall {
    /// What to do.
    pub action: DirectAction,
    /// With whom: a peer id or an author.
    pub to: String,
    /// What to say.
    pub value: Option<WireValue>,
    /// Which message.
    pub id: String,
    /// The state that is known of it.
    pub known: String,
    /// After, or before, which place.
    pub place: Option<f64>,
    /// At most so many.
    pub limit: Option<f64>,
}

/// What can be done with direct messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DirectAction {
    Send,
    State,
    Next,
    History,
    Block,
    Unblock,
    Blocked,
}

/// A call about chat rooms. One shape for all of them.
#[derive(Clone, Debug)]
pub struct ChatCall {
    /// What to do.
    pub action: ChatAction,
    /// In which room: its name or a link to join it, afterwards the id that joining gave.
    pub room: String,
    /// What is said, a mark, or the card of a file as JSON.
    pub text: String,
    /// What this member is called.
    pub nick: String,
    /// The message that is answered, changed or marked, or before which history is wanted.
    pub id: String,
    /// Whether a mark is put there, or something is being written; when joining, whether the room is to
    /// get a new secret.
    pub on: bool,
    /// How many messages of history.
    pub limit: Option<f64>,
}

/// What can be done in rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChatAction {
    Join,
    Send,
    React,
    Edit,
    Delete,
    File,
    Typing,
    Nick,
    History,
    Members,
    Read,
}

/// A call about files. One shape for all of them.
#[cfg(feature = "files")]
#[derive(Clone, Debug)]
pub struct FilesCall {
    /// What to do.
    pub action: FilesAction,
    /// The id of a file.
    pub id: String,
    /// What is said about the file, as JSON, or what is searched, or the directory of the file.
    pub text: String,
    /// Which file that is being handed over, or which place of one that stays there.
    pub call: f64,
    /// Which piece of the file; of one that is handed over, how large it is, if that is known; of a range, its first byte; for how
    /// many days it is kept.
    pub place: Option<f64>,
    /// The end of a range of which a file is fetched; without, all of it is.
    pub limit: Option<f64>,
    /// The next bytes of what is handed over.
    pub value: Option<WireValue>,
}

/// What can be done with files.
#[cfg(feature = "files")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FilesAction {
    /// Hands a directory over, as one file after the other: the first item has a number for what follows.
    ShareFolder,
    /// Hands a file over: the first item has a number for what follows.
    Share,
    /// Shares a file that stays where it is; items tell how far it is.
    ShareInPlace,
    /// Such a file may be read again.
    Allow,
    /// The next bytes of it.
    Take,
    /// There are no more.
    End,
    /// Fetches a file; items tell how far it is.
    Fetch,
    /// Fetches a directory; the first item has its list, items tell how far it is.
    FetchFolder,
    /// A file of a directory that is here, or being fetched: it comes first.
    FetchMember,
    /// Asks the relays to keep a file or a directory.
    Pin,
    /// Asks nobody for more of a file.
    Pause,
    /// Goes on with it.
    Resume,
    /// A piece of a file, as soon as it is there.
    Read,
    /// All that is there.
    List,
    Remove,
    /// Files with some words, as they are found.
    Search,
    /// Where files are kept, and how many more fit.
    Storage,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, params: &str) -> Option<AppCall> {
        serde_json::from_str::<AppParams>(params).ok()?.call(method)
    }

    #[test]
    fn a_method_takes_its_parameters() {
        let item = call("rpcItem", r#"{"call": 7, "text": "[1]"}"#);
        assert!(matches!(
            item,
            Some(AppCall::Rpc(RpcCall { action: RpcAction::Item, call: 7.0, text, .. })) if text == "[1]"
        ));
        let join = call(
            "chat",
            r#"{"chat": "join", "room": "lobby", "nick": "Ada"}"#,
        );
        assert!(matches!(
            join,
            Some(AppCall::Chat(ChatCall { action: ChatAction::Join, room, .. })) if room == "lobby"
        ));
        let next = call("direct", r#"{"direct": "next", "place": 3}"#);
        assert!(matches!(
            next,
            Some(AppCall::Direct(DirectCall {
                action: DirectAction::Next,
                place: Some(3.0),
                ..
            }))
        ));
        #[cfg(feature = "files")]
        {
            let read = call("files", r#"{"files": "read", "id": "x", "place": 2}"#);
            assert!(matches!(
                read,
                Some(AppCall::Files(FilesCall { action: FilesAction::Read, place: Some(2.0), id, .. })) if id == "x"
            ));
            assert!(call("files", "{}").is_none());
        }
        assert!(matches!(call("close", "{}"), Some(AppCall::Close {})));
    }

    #[test]
    fn what_cannot_be_understood_is_no_call() {
        for (method, params) in [
            ("nothing", "{}"),
            ("chat", r#"{"room": "lobby"}"#),
            ("direct", "{}"),
            ("direct", r#"{"direct": "shout"}"#),
        ] {
            assert!(call(method, params).is_none(), "{method} {params}");
        }
    }
}

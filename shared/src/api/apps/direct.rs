//! Calls about direct messages.

use serde::Serialize;

use super::messages::{DirectAction, DirectCall};
use crate::api::messages::{Reply, WireValue};
use crate::error::{Code, Error, Result};
use crate::limits::MESSAGES_PAGE;
use crate::net::direct::{Direct, Recipient, Told};
use crate::proto::Millis;
use crate::proto::direct::{Direction, Id, State};
use crate::proto::key::PublicKey;

/// A message as a page sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    id: String,
    place: u64,
    sent: bool,
    state: &'static str,
    from: String,
    to: String,
    time: Millis,
    body: WireValue,
}

/// Messages are taken and read without a relay, too: what is sent waits for one.
pub(super) async fn serve(direct: &Direct, call: DirectCall) -> Result<Reply> {
    let DirectCall {
        action,
        to,
        value,
        id,
        known,
        place,
        limit,
    } = call;
    let place = place.map(|place| place as u64);
    match action {
        DirectAction::Send => {
            let value = value.ok_or_else(no_body)?;
            let sent = direct.send(to.parse()?, value.into()).await?;
            let id = text(&sent.id);
            Ok(Reply::Connected { id })
        }
        DirectAction::State => {
            let known = State::ALL.into_iter().find(|state| state.as_str() == known);
            let state = direct.state(read(&id)?, known).await?;
            Ok(Reply::Json(state.as_str().into()))
        }
        DirectAction::Next => {
            let told = direct.next(place).await?;
            Ok(Reply::Messages(vec![view(told)]))
        }
        DirectAction::History => {
            let with = author(direct, &to).await?;
            let most = limit.map_or(MESSAGES_PAGE, |limit| limit as usize);
            let told = direct.history(with, place, most).await?;
            Ok(Reply::Messages(told.into_iter().map(view).collect()))
        }
        DirectAction::Block => {
            direct.block(author(direct, &to).await?).await?;
            Ok(Reply::Nothing {})
        }
        DirectAction::Unblock => {
            direct.unblock(author(direct, &to).await?).await?;
            Ok(Reply::Nothing {})
        }
        DirectAction::Blocked => {
            let blocked = direct.blocked().await?;
            let blocked: Vec<String> = blocked.iter().map(PublicKey::to_string).collect();
            Ok(Reply::Json(blocked.into()))
        }
    }
}

async fn author(direct: &Direct, text: &str) -> Result<PublicKey> {
    let who: Recipient = text.parse()?;
    direct.author_of(who).await
}

fn view(told: Told) -> MessageView {
    MessageView {
        id: text(&told.id),
        place: told.place,
        sent: told.direction == Direction::Out,
        state: told.state.as_str(),
        from: told.author.to_string(),
        to: told.to.to_string(),
        time: told.time,
        body: told.body.into(),
    }
}

fn text(id: &Id) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

fn read(id: &str) -> Result<Id> {
    let number = u128::from_str_radix(id, 16).map_err(|error| {
        Error::new(Code::InvalidArgument, "this is not the id of a message").caused_by(error)
    })?;
    Ok(number.to_be_bytes())
}

fn no_body() -> Error {
    Error::new(Code::InvalidArgument, "a message has a body")
}

//! Limits of direct messages and mailboxes.

use std::time::Duration;

use super::{DAY, MINUTE, SECOND};
use crate::proto::Millis;

/// Content of one message: a long letter; what is larger is a file.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// A signed message: its content, keys, number, time and signature, with room to spare.
pub const MAX_SIGNED_MESSAGE: usize = MAX_MESSAGE + 512;
/// What a mailbox keeps of one message: signed, wrapped and sealed.
pub const MAX_SEALED: usize = MAX_SIGNED_MESSAGE + 128;
/// Bytes of messages in one delivery: they and their heads stay below a control message.
pub const DIRECT_BATCH_BYTES: usize = 56 * 1024;
/// Messages in one delivery: one write at the recipient for all of them.
pub const DIRECT_BATCH: usize = 64;
/// A message that could not be delivered for so long has failed; mailboxes forget it, and recipients
/// refuse it, which bounds what they have to remember.
pub const MESSAGE_LIFETIME: Millis = 7 * DAY;
/// How far ahead of the own clock the time of a message may pull it.
pub const MAX_CLOCK_LEAD: Millis = 2 * MINUTE;
/// Messages on their way to one recipient.
pub const MAX_PENDING_EACH: usize = 1_024;
/// Bytes of all messages on their way: they are in memory.
pub const MAX_PENDING_BYTES: usize = 16 * 1024 * 1024;
/// Messages that the application has not taken yet; senders are asked to wait beyond.
pub const MAX_UNTOLD: usize = 1_024;
/// Of these, of authors to whom nobody here has written: room for friends is left, however many strangers write.
pub const MAX_UNTOLD_OF_STRANGERS: usize = MAX_UNTOLD / 4 * 3;
/// Authors to whom this author has written.
pub const MAX_CORRESPONDENTS: usize = 1_024;
/// Authors that have written without an answer, beside those: they give way to each other.
pub const MAX_STRANGERS: usize = 1_024;
/// Sessions of authors that gave way, whose numbers are remembered so that nothing is taken twice: some 60 bytes each.
pub const MAX_FORGOTTEN_SESSIONS: usize = 16_384;
/// Sessions of one author whose numbers are remembered, one for each start of its program, until nothing of them can come
/// any more; messages of further ones wait where they are.
pub const MAX_SESSIONS_EACH: usize = 128;
/// Messages of one correspondent that are kept to be read again.
pub const MAX_HISTORY_EACH: u64 = 1_000;
/// Of all correspondents together: at 16 KiB each a quarter of a gigabyte.
pub const MAX_HISTORY: u64 = 16_384;
/// Of these, what strangers may have before their messages give way first.
pub const MAX_HISTORY_OF_STRANGERS: u64 = MAX_HISTORY / 4;
/// Messages in one answer about the history.
pub const MESSAGES_PAGE: usize = 256;
/// Authors that one peer does not want to hear from.
pub const MAX_BLOCKED: usize = 4_096;
/// First wait before a recipient that could not be reached is tried again, doubling, with jitter: a connection that
/// broke is replaced sooner than a person notices.
pub const DIRECT_RETRY_FIRST: Millis = 250;
/// Longest such wait. A recipient that comes back says so itself, by what it fetches and answers.
pub const DIRECT_RETRY_LONGEST: Millis = 2 * MINUTE;
/// How long a delivery goes on before the messages are left in mailboxes as well: dialling an address that leads
/// nowhere takes longer.
pub const LEAVE_AFTER: Millis = SECOND;
/// A peer without a relay looks so often whether one of a recipient's peers is connected, beside whenever it hears so.
pub const DIRECT_PARKED: Millis = 10 * SECOND;
/// How long a delivery or a receipt may take.
pub const DIRECT_DEADLINE: Duration = Duration::from_secs(10);
/// Deliveries on one connection: senders make one at a time for each recipient.
pub const DIRECT_STREAMS: usize = 6;
/// Deliveries that wait for the one task that stores messages.
pub const DIRECT_QUEUE: usize = 64;
/// Recipients that are tried at the same time.
pub const DIRECT_CARRIED: usize = 16;

/// Peers of one author that its contact record names: the ones used last.
pub const MAX_DEVICES: usize = 8;
/// Life of a contact record: relays forget it 48 hours after it was last put, whatever it says.
pub const CONTACT_LIFETIME: Millis = 30 * DAY;
/// A contact record is put again this often.
pub const CONTACT_EVERY: Millis = 6 * super::HOUR;
/// A peer that has not been seen for so long is left out of it.
pub const DEVICE_FORGOTTEN: Millis = 30 * DAY;

/// Mailboxes that one message is left in: one of them may be lost.
pub const MAILBOX_COPIES: usize = 2;
/// Requests to a mailbox on one connection.
pub const MAILBOX_STREAMS: usize = 10;
/// How long a request to a mailbox may take, disk included.
pub const MAILBOX_DEADLINE: Duration = Duration::from_secs(8);
/// How often a peer looks into its mailboxes while it is connected, beside whenever it has joined.
pub const MAILBOX_EVERY: Millis = 30 * SECOND;
/// Bytes of messages in one answer of a mailbox.
pub const MAILBOX_PAGE_BYTES: usize = 48 * 1024;
/// Messages in one answer of a mailbox, and deleted at one time.
pub const MAILBOX_PAGE: usize = 64;
/// Messages and bytes that one recipient has waiting: a busy week.
pub const MAILBOX_EACH: (u64, u64) = (4_096, 16 * 1024 * 1024);
/// Of these, from one sender: a quarter, so that nobody fills the mailbox of another alone.
pub const MAILBOX_PER_SENDER: (u64, u64) = (MAILBOX_EACH.0 / 4, MAILBOX_EACH.1 / 4);
/// What one sender, or all behind one address prefix, has waiting for all recipients together.
pub const MAILBOX_PER_SOURCE: (u64, u64) = (16_384, 64 * 1024 * 1024);
/// What a relay keeps in all.
pub const MAILBOX_TOTAL: (u64, u64) = (262_144, 1024 * 1024 * 1024);

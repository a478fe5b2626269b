//! What the demo begins with: an organization, its staff, its help centre and a few conversations, all made through
//! the service like anybody else's. The assistant's answers in it are its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context as _;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::article::ArticleStatus;
use crate::domain::conversation::Resolution;
use crate::domain::id::{ClientId, InboxId};
use crate::domain::user::Role;
use crate::search::front_matter;
use crate::service::Service;
use crate::service::article::PutArticle;
use crate::service::assistant::Thought;
use crate::service::organization::CreateOrganization;
use crate::service::user::CreateUser;
use crate::service::visitor::Guest;

use super::files::DemoFile;
use super::help::ARTICLES;

/// The organization's name.
pub(super) const ORGANIZATION: &str = "demo";
/// The inbox's name.
pub(super) const INBOX: &str = "web";
/// The number of the conversation the banner follows: agent2's.
pub(super) const FOLLOWED: u64 = 1004;
/// The demo's agents.
const AGENTS: [&str; 2] = ["agent1", "agent2"];

/// What the demo runs with.
pub(super) struct Seeded {
    /// The admin.
    pub(super) admin: Actor,
    /// The inbox.
    pub(super) inbox: InboxId,
    /// A credential for each demo user.
    pub(super) credentials: BTreeMap<String, String>,
}

/// Whether a fresh demo begins with conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Some that are done, some that wait.
    Seeded,
    /// None: the first conversation is the first somebody starts.
    None,
}

/// One step of a seeded conversation, so many seconds before the demo's start.
enum Step {
    Visitor(&'static str),
    Assistant,
    Person,
    Claim(&'static str),
    Reply(&'static str, &'static str),
    Note(&'static str, &'static str),
    Resolve(&'static str),
    End,
}

use Step::{Assistant, Claim, End, Note, Person, Reply, Resolve, Visitor};

const CONVERSATIONS: &[&[(i64, Step)]] = &[
    &[
        (3_000, Visitor("How do I pair the lantern with the app?")),
        (2_999, Assistant),
        (2_940, Visitor("thanks")),
        (2_939, Assistant),
        (2_900, End),
    ],
    &[
        (2_400, Visitor("Where is my refund? I sent the lantern back two weeks ago.")),
        (2_399, Assistant),
        (2_380, Person),
        (2_300, Claim("agent1")),
        (
            2_290,
            Reply(
                "agent1",
                "I have found it: the refund left us on Monday and should arrive today.",
            ),
        ),
        (2_200, Visitor("It is there. Thank you!")),
        (2_190, Resolve("agent1")),
    ],
    &[
        (290, Visitor("The light flickers on High since yesterday. Is that covered?")),
        (289, Assistant),
        (252, Person),
    ],
    &[
        (230, Visitor("Tracking says delivered, but nothing is here.")),
        (229, Assistant),
        (220, Person),
        (200, Claim("agent2")),
        (190, Reply("agent2", "I am sorry. I am asking the carrier where they left it.")),
        (
            180,
            Note(
                "agent2",
                "Third parcel this week with this carrier. Send a new one if they do not find it.",
            ),
        ),
        (150, Visitor("Thank you, I am at home all day.")),
    ],
    &[
        (180, Visitor("Can I still change the address of my order?")),
        (179, Assistant),
        (160, Person),
    ],
    &[
        (80, Visitor("We need forty lanterns with an invoice before Friday. Can you do that?")),
        (79, Assistant),
        (65, Person),
    ],
];

/// Makes everything in an empty store. `behind` is how far the service's clock is behind, in milliseconds.
pub(super) async fn fresh(
    service: &Arc<Service>,
    shop_origin: &str,
    behind: &AtomicI64,
    traffic: Traffic,
) -> anyhow::Result<Seeded> {
    let conversations = match traffic {
        Traffic::Seeded => CONVERSATIONS,
        Traffic::None => &[],
    };
    let oldest = conversations.iter().filter_map(|steps| steps.first()).map(|(ago, _)| *ago).max();
    behind.store(oldest.map_or(0, |oldest| (oldest + 60) * 1_000), Ordering::Relaxed);
    let operator_key = service.create_operator_key().await?;
    let operator = service.authenticate(&operator_key).await?;
    let founded = service
        .create_organization(
            &operator,
            fresh_id(),
            CreateOrganization {
                name: ORGANIZATION.to_owned(),
                admin_email: "admin@demo.example".to_owned(),
                admin_name: "admin".to_owned(),
                admin_password: None,
                invite_admin: false,
                inbox_name: INBOX.to_owned(),
                origins: vec![shop_origin.to_owned()],
            },
        )
        .await?;
    let admin_key = founded.admin_key.context("a fresh store has made no key before")?;
    let admin = service.authenticate(&admin_key).await?;
    let mut credentials =
        BTreeMap::from([("admin".to_owned(), admin_key), ("operator".to_owned(), operator_key)]);
    let mut agents = BTreeMap::new();
    for name in AGENTS {
        let token = add_agent(service, &admin, name).await?;
        agents.insert(name, service.authenticate(&token).await?);
        credentials.insert(name.to_owned(), token);
    }
    import(service, &admin).await?;
    let mut desk = Desk { service, behind, agents, inbox: founded.inbox.id, origin: shop_origin };
    for steps in conversations {
        desk.play(steps).await?;
    }
    behind.store(0, Ordering::Relaxed);
    Ok(Seeded { admin, inbox: founded.inbox.id, credentials })
}

/// Goes on with what an earlier run made; a session that has run out is renewed.
pub(super) async fn go_on(service: &Arc<Service>, file: &DemoFile) -> anyhow::Result<Seeded> {
    let mut credentials = file.credentials.clone();
    let admin_key = credentials.get("admin").context("the demo's file names no admin")?;
    let admin = service.authenticate(admin_key).await?;
    for name in AGENTS {
        let live = match credentials.get(name) {
            Some(token) => service.authenticate(token).await.is_ok(),
            None => false,
        };
        if !live {
            let user = service.list_users(&admin).await?;
            let user = user.iter().find(|it| it.name.as_deref() == Some(name));
            let user = user.with_context(|| format!("the demo's store has no {name}"))?;
            let token =
                service.start_session_of(&Actor::system(admin.organization), user.id).await?;
            credentials.insert(name.to_owned(), token.token);
        }
    }
    Ok(Seeded { admin, inbox: file.inbox_id.parse()?, credentials })
}

async fn add_agent(service: &Arc<Service>, admin: &Actor, name: &str) -> anyhow::Result<String> {
    let new = CreateUser {
        email: format!("{name}@demo.example"),
        name: name.to_owned(),
        role: Role::Agent,
        password: None,
    };
    let user = service.create_user(admin, Some(fresh_id()), new).await?;
    let system = Actor::system(admin.organization);
    Ok(service.start_session_of(&system, user.id).await?.token)
}

/// Imports the help centre; all articles at once, so that they share their commits.
async fn import(service: &Arc<Service>, admin: &Actor) -> anyhow::Result<()> {
    let puts = ARTICLES.iter().map(|(path, file)| async move {
        let parsed = front_matter::parse(file.as_bytes())?;
        let new = PutArticle {
            source_path: (*path).to_owned(),
            title: parsed.title,
            body: parsed.body,
            locale: parsed.locale,
            status: Some(ArticleStatus::Published),
            inboxes: None,
        };
        service.put_article(admin, Some(fresh_id()), new).await?;
        anyhow::Ok(())
    });
    futures::future::try_join_all(puts).await?;
    Ok(())
}

/// Plays conversations at their times.
struct Desk<'a> {
    service: &'a Arc<Service>,
    behind: &'a AtomicI64,
    agents: BTreeMap<&'static str, Actor>,
    inbox: InboxId,
    origin: &'a str,
}

impl Desk<'_> {
    async fn play(&mut self, steps: &[(i64, Step)]) -> anyhow::Result<()> {
        let guest = self.service.welcome(self.inbox, self.origin, None).await?.guest;
        for (ago, step) in steps {
            self.behind.store(ago * 1_000, Ordering::Relaxed);
            self.step(&guest, step).await?;
        }
        Ok(())
    }

    async fn step(&self, guest: &Guest, step: &Step) -> anyhow::Result<()> {
        let service = self.service;
        if let Visitor(text) = step {
            service.guest_message(guest, fresh_id(), (*text).to_owned(), None).await?;
            return Ok(());
        }
        let current = service.current_conversation(&guest.actor()).await?;
        let current = current.context("a seeded conversation begins with its visitor")?.header;
        let text = current.number.to_string();
        let id = Some(fresh_id());
        match step {
            Visitor(_) => {}
            Assistant => self.answer(guest, &text).await?,
            Person => {
                service.wish_for_person(&guest.actor(), id, Some(current.id)).await?;
            }
            Claim(name) => {
                service.claim(self.agent(name)?, id, &text, None, false).await?;
            }
            Reply(name, content) => {
                let content = (*content).to_owned();
                service.post_message(self.agent(name)?, id, &text, content, None).await?;
            }
            Note(name, content) => {
                service.add_note(self.agent(name)?, id, &text, (*content).to_owned()).await?;
            }
            Resolve(name) => {
                service.resolve(self.agent(name)?, id, &text, Resolution::Agent).await?;
            }
            End => {
                service.end_by_visitor(&guest.actor(), id, Some(current.id), false).await?;
            }
        }
        Ok(())
    }

    /// Lets the assistant do what it would have done.
    async fn answer(&self, guest: &Guest, text: &str) -> anyhow::Result<()> {
        let organization = guest.actor().organization;
        let header = self.service.find_conversation(&guest.actor(), text).await?;
        if let Thought::Act(turn, act) = self.service.think(organization, header.id).await? {
            let position = header.position;
            self.service.assistant_act(organization, header.id, position, turn, act).await?;
        }
        Ok(())
    }

    fn agent(&self, name: &str) -> anyhow::Result<&Actor> {
        self.agents.get(name).with_context(|| format!("the demo has no {name}"))
    }
}

/// A client id of the demo's own.
fn fresh_id() -> ClientId {
    ClientId(*Uuid::now_v7().as_bytes())
}

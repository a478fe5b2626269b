//! Articles: what a command does not say stays, and who reads which of them.

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::command::AssistantAct;
use crate::domain::inbox::AssistantMode;
use crate::domain::message::Source;

use super::article::{EditArticle, PutArticle, PutOutcome};
use super::assistant::Thought;
use super::inbox::CreateInbox;
use super::rig::{Rig, SHOP, code, fresh};

fn rope(path: &str, body: &str) -> PutArticle {
    PutArticle {
        source_path: path.to_owned(),
        title: "Rope".to_owned(),
        body: body.to_owned(),
        locale: None,
        status: None,
        inboxes: None,
    }
}

async fn put(rig: &Rig, new: PutArticle) -> (Article, PutOutcome) {
    rig.service.put_article(&rig.desk.admin, None, new).await.expect("put")
}

async fn edit(rig: &Rig, path: &str, edit: EditArticle) -> Article {
    let edited = rig.service.edit_article(&rig.desk.admin, Some(fresh()), path, edit).await;
    edited.expect("edited")
}

async fn inbox(rig: &Rig, name: &str, members: &[&str]) {
    let new = CreateInbox {
        name: name.to_owned(),
        origins: vec![SHOP.to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        members: members.iter().map(|it| (*it).to_owned()).collect(),
    };
    rig.service.create_inbox(&rig.desk.admin, None, new).await.expect("created");
}

const LENGTH: &str = "The rope is twelve metres long.";

#[tokio::test]
async fn what_an_import_does_not_say_stays() {
    let rig = Rig::new().await;
    let (first, outcome) = put(&rig, rope("rope.md", LENGTH)).await;
    assert_eq!((outcome, first.status), (PutOutcome::Created, ArticleStatus::Published));
    assert_eq!((first.locale.as_str(), first.inboxes.len()), ("en", 0));
    let change = EditArticle {
        status: Some(ArticleStatus::Draft),
        inboxes: Some(vec!["web".to_owned()]),
        locale: Some("de".to_owned()),
    };
    let changed = edit(&rig, "rope.md", change.clone()).await;
    assert_eq!((changed.id, changed.body.as_str()), (first.id, LENGTH));
    let (again, outcome) = put(&rig, rope("rope.md", LENGTH)).await;
    assert_eq!((outcome, &again), (PutOutcome::Unchanged, &changed), "nothing was said of them");
    let before = rig.journal().await.len();
    edit(&rig, "rope.md", change).await;
    assert_eq!(rig.journal().await.len(), before, "the same again is nothing");
    let said = PutArticle {
        status: Some(ArticleStatus::Published),
        inboxes: Some(Vec::new()),
        ..rope("rope.md", LENGTH)
    };
    let (said, outcome) = put(&rig, said).await;
    assert_eq!((outcome, said.status), (PutOutcome::Changed, ArticleStatus::Published));
    assert_eq!((said.inboxes.len(), said.locale.as_str()), (0, "de"));
    let absent =
        EditArticle { inboxes: Some(vec!["nowhere".to_owned()]), ..EditArticle::default() };
    let refused = rig.service.edit_article(&rig.desk.admin, None, "rope.md", absent).await;
    assert_eq!(code(&refused), "not_found");
    let refused = rig.service.edit_article(&rig.desk.a, None, "rope.md", EditArticle::default());
    assert_eq!(code(&refused.await), "forbidden");
}

#[tokio::test]
async fn a_search_reads_published_articles_of_the_inbox_and_language_or_its_fallback() {
    let rig = Rig::new().await;
    inbox(&rig, "shop", &[]).await;
    put(&rig, rope("en.md", LENGTH)).await;
    let found = async |inbox: &str, locale: &str| {
        let question = "How long is the rope? Wie lang ist das Seil?";
        let search =
            rig.service.search_articles(&rig.desk.admin, question, Some(inbox), Some(locale), 0);
        let hits = search.await.expect("searched").passages;
        hits.into_iter().map(|hit| hit.language).collect::<Vec<_>>()
    };
    assert_eq!(found("web", "en").await, ["en"]);
    assert_eq!(found("web", "de").await, ["en"], "the inbox's own language is the fallback");
    let german = PutArticle {
        locale: Some("de".to_owned()),
        ..rope("de.md", "Das Seil ist zwölf Meter lang.")
    };
    put(&rig, german).await;
    assert_eq!(found("web", "de").await, ["de"]);
    assert_eq!(found("web", "de-AT").await, ["de"]);
    assert_eq!(found("web", "fr").await, ["en"], "and no third one");
    let shop = || Some(vec!["shop".to_owned()]);
    edit(&rig, "de.md", EditArticle { inboxes: shop(), ..EditArticle::default() }).await;
    assert_eq!(found("web", "de").await, ["en"]);
    assert_eq!(found("shop", "de").await, ["de"]);
    let draft = Some(ArticleStatus::Draft);
    edit(&rig, "en.md", EditArticle { status: draft, ..EditArticle::default() }).await;
    assert!(found("web", "de").await.is_empty());
    assert_eq!(found("shop", "de").await, ["de"]);
}

#[tokio::test]
async fn an_answer_says_which_source_is_in_another_language() {
    let rig = Rig::new().await;
    put(&rig, rope("en.md", LENGTH)).await;
    let sources = async |locale: &str| -> Vec<Source> {
        let guest = rig.guest().await;
        let text = "How long is the rope?".to_owned();
        let locale = Some(locale.to_owned());
        let posted = rig.service.guest_message(&guest, fresh(), text, locale).await.expect("said");
        let conversation = posted.message.message.conversation;
        let thought = rig.service.think(rig.desk.organization, conversation).await;
        let Ok(Thought::Ask(question)) = thought else { panic!("no answer: {thought:?}") };
        let AssistantAct::Say { sources, .. } = &question.fallback else { panic!("{question:?}") };
        assert_eq!(&question.sources(vec![1]), sources, "a model's answer says the same");
        sources.clone()
    };
    let locales = async |locale| sources(locale).await.into_iter().map(|it| it.locale).collect();
    let own: Vec<Option<String>> = locales("en-GB").await;
    assert_eq!(own, [None]);
    let other: Vec<Option<String>> = locales("de").await;
    assert_eq!(other, [Some("en".to_owned())]);
}

#[tokio::test]
async fn an_agent_reads_no_article_of_an_inbox_they_are_no_member_of() {
    let rig = Rig::new().await;
    inbox(&rig, "closed", &["A"]).await;
    put(&rig, PutArticle { inboxes: Some(vec!["closed".to_owned()]), ..rope("a.md", LENGTH) })
        .await;
    let (a, b) = (&rig.desk.a, &rig.desk.b);
    assert!(rig.service.get_article(a, "a.md").await.is_ok());
    assert_eq!(code(&rig.service.get_article(b, "a.md").await), "not_found");
    assert_eq!(rig.service.list_articles(a, 0, "").await.expect("listed").0.len(), 1);
    assert!(rig.service.list_articles(b, 0, "").await.expect("listed").0.is_empty());
    let found = async |actor| {
        let search = rig.service.search_articles(actor, "How long is the rope?", None, None, 0);
        search.await.expect("searched").passages.len()
    };
    assert_eq!((found(a).await, found(b).await), (1, 0));
}

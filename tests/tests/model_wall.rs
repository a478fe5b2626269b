//! Two organizations with a model each: what one's model is asked holds nothing of the other's articles, visitors or
//! names.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::model::{Line, ScriptedModel};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;

/// What only one of them knows and says.
struct Side {
    name: &'static str,
    word: &'static str,
    price: &'static str,
}

const SIDES: [Side; 2] = [
    Side { name: "ropeworks", word: "hempen", price: "41 €" },
    Side { name: "lampworks", word: "brazen", price: "93 €" },
];

impl Side {
    fn origin(&self) -> String {
        format!("https://{}.example", self.name)
    }

    fn question(&self) -> String {
        format!("What does the {} lantern of the {} cost?", self.word, self.name)
    }

    /// Makes the organization with one article, and returns its inbox.
    async fn found(&self, daemon: &Daemon) -> Result<String> {
        let request = v1::CreateOrganizationRequest {
            client_id: client_id(),
            name: self.name.to_owned(),
            admin_email: format!("admin@{}.example", self.name),
            inbox_name: "web".to_owned(),
            origins: vec![self.origin()],
            ..Default::default()
        };
        let operator = daemon.staff("operator").await?;
        let made = operator.organizations().create_organization(request).await?.into_inner();
        let key = daemon.staff_with(&made.admin_key).await?;
        let request = v1::PutArticleRequest {
            client_id: client_id(),
            source_path: "lantern.md".to_owned(),
            title: format!("What does the {} lantern cost?", self.word),
            body: format!("The {} lantern costs {} at the {}.", self.word, self.price, self.name),
            locale: "en".to_owned(),
            status: v1::ArticleStatus::Published.into(),
            inboxes: None,
        };
        key.articles().put_article(request).await?;
        Ok(made.inbox.context("an inbox")?.id)
    }

    fn provider(&self, model: &ScriptedModel) -> String {
        format!(
            "[[assistant.provider]]\norganization = {:?}\nbase_url = {:?}\nmodel = \"scripted\"\n",
            self.name,
            model.url()
        )
    }
}

#[test]
fn fault_87_no_model_hears_of_another_organization() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::ci(stage).await?;
        let (mut models, mut inboxes, mut lines) = (Vec::new(), Vec::new(), String::new());
        for side in &SIDES {
            let model = ScriptedModel::start().await?;
            lines.push_str(&side.provider(&model));
            inboxes.push(side.found(&daemon).await?);
            models.push(model);
        }
        daemon.serve(&lines).await?;
        let base = daemon.field("http")?.to_owned();
        for ((side, model), inbox) in SIDES.iter().zip(&models).zip(&inboxes) {
            model.script([Line::Say(format!("ANSWER [1]\nIt costs {} [1].", side.price))]);
            let mut visitor = Visitor::new(stage, &base, inbox, &side.origin());
            visitor.connect().await?;
            let id = visitor.say(&side.question()).await?;
            visitor.acked(&id).await?;
            let answer =
                visitor.message(0, "the answer", |it| it["senderType"] == "assistant").await?;
            let said = answer["content"].as_str().unwrap_or_default();
            ensure!(said == format!("It costs {}.", side.price), "{said}");
        }
        for (number, (side, model)) in SIDES.iter().zip(&models).enumerate() {
            let asked = format!("{:?}{:?}", model.requests(), model.heads());
            ensure!(model.requests().len() == 1 && asked.contains(side.price), "{asked}");
            let other = &SIDES[1 - number];
            for word in [other.name, other.word, other.price, &inboxes[1 - number]] {
                ensure!(!asked.contains(word), "{}'s model was told {word}: {asked}", side.name);
            }
        }
        Ok(())
    });
}

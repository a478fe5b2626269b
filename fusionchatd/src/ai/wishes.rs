//! Recognizes the few messages that are not questions: a wish for a person, "are you a bot?", and
//! small talk. It works on whole messages made of listed words only, in every language at once (a
//! visitor need not write in the page's language), and must never guess from a part of a sentence.

use crate::search::language::words;

/// A longer message is never taken for a wish or small talk.
const MAX_WORDS: usize = 12;
/// Words read of a message when looking for the mere mention of a person.
const MAX_WORDS_READ: usize = 400;

/// A list of words, with spaces between: lower case, without accents, as `words` gives them.
type Words = &'static str;

/// The words of one language.
struct Vocabulary {
    /// People one may ask for: one of these alone is a wish.
    people: Words,
    /// People only if one asks to talk to them.
    somebody: Words,
    /// Asking to talk.
    talking: Words,
    /// Two words that are a wish together.
    pairs: &'static [(&'static str, &'static str)],
    /// What may stand around a wish.
    around_wish: Words,
    /// Who is asked in "are you a bot?".
    addressed: Words,
    /// What one may be.
    natures: Words,
    /// What may stand around that question.
    around_nature: Words,
    /// Greetings, farewells, assent.
    small_talk: Words,
    /// Thanks.
    thanks: Words,
}

const ENGLISH: Vocabulary = Vocabulary {
    people: "agent agents human humans operator people person rep representative",
    somebody: "advisor anybody anyone colleague employee somebody someone staff support team",
    talking: "chat chatting connect contact reach speak speaking talk talking transfer",
    pairs: &[
        ("customer", "care"),
        ("customer", "service"),
        ("customer", "support"),
        ("live", "chat"),
    ],
    around_wish: "\
        a actual an another at be being can care could customer d directly from get give have \
        hello hey hi i instead is just let like live ll may me must need no now of ok okay \
        please pls plz prefer put rather real right sales service some support thank thanks the \
        there through to us wanna want we with would yes you your",
    addressed: "chatting speaking talking this u you",
    natures: "ai automated bot chatbot chatgpt computer gpt human machine person real robot",
    around_nature: "\
        a actual actually am an are being hello hey hi i is just live me now or r really right \
        so tell the to wait with",
    small_talk: "\
        afternoon all alright am anybody anyone are awesome been bye cool correct d day do \
        doing else enough evening everything fine for good goodbye got great greetings have \
        hello hey hi hiya how i is it later like ll m me morning need needed nice night no not \
        nothing now ok okay perfect right s sounds sup sure t that then there they this to \
        today up ve welcome well whats will would yeah yes yet yo you",
    thanks: "\
        a any anyway appreciated assistance be but cheers for help helped helpful helping lot \
        lots many much so thank thanks thanx thx ty very way you your",
};

const GERMAN: Vocabulary = Vocabulary {
    people: "\
        agent berater beraterin kundenberater kundendienst kundenservice mensch menschen \
        mitarbeiter mitarbeiterin mitarbeitern person",
    somebody: "jemand jemandem jemanden kollegen support team",
    talking: "chatten kontakt reden sprechen verbinde verbinden weiterleiten",
    pairs: &[],
    around_wish: "\
        am an bitte brauche danke dem den der die direkt echte echten echter ein eine einem \
        einen einer gern gerne guten hallo ich ihrem jetzt kann konnte lieber mal mich mir mit \
        mochte nein nur richtigen sie tag will wir wurde zu",
    addressed: "chatte das dies du rede schreibe sie spreche",
    natures: "bot chatbot computer echt ki maschine mensch menschen person roboter",
    around_nature: "\
        bist denn echte echten echter eigentlich ein eine einem einer gerade hallo hier ich ist \
        mit nur oder sind wirklich",
    small_talk: "\
        abend alles auf dir geht gut gute guten hallo hi ihnen ja klar moin morgen ok okay \
        perfekt prima schon schonen servus super tag toll tschuss wie wiedersehen",
    thanks: "danke dank die fur herzlichen hilfe ihre schon sehr viele vielen vielmals",
};

const SPANISH: Vocabulary = Vocabulary {
    people: "agente asesor asesora humano humana operador operadora persona representante",
    somebody: "alguien encargado equipo soporte",
    talking: "chatear comunicar comunicarme contactar hablar pasar pasame",
    pairs: &[("al", "cliente")],
    around_wish: "\
        a ahora al atencion buenas buenos cliente con de del dias el en favor gracias gustaria \
        hola la me mejor necesito no por prefiero puede puedo que quiero quisiera real servicio \
        si tardes un una verdad vivo",
    addressed: "eres esto hablando hablo usted",
    natures: "bot chatbot humana humano ia maquina persona real robot",
    around_nature: "acaso con de es estoy hola o realmente solo tu un una verdad",
    small_talk: "\
        adios bien buen buena buenas bueno buenos como dia dias esta estas genial hasta hola \
        luego noches ok perfecto que si tal tardes vale",
    thanks: "agradezco ayuda gracias la las muchas muy por su tu",
};

const FRENCH: Vocabulary = Vocabulary {
    people: "agent conseiller conseillere humain humaine operateur operatrice personne",
    somebody: "collegue equipe qqn quelqu support",
    talking: "chatter contacter discuter joindre parler transferer",
    pairs: &[("service", "client"), ("service", "clients")],
    around_wish: "\
        a ai aimerais au avec avoir besoin bonjour client clientele clients d de directement du \
        humaine j je le maintenant me merci moi non oui passer peux plait pourrais prefere puis \
        reel reelle s service stp svp te un une veux votre voudrais vous vrai vraie il",
    addressed: "c ce parle t tu vous",
    natures: "bot chatbot humain humaine ia machine personne reel reelle robot",
    around_nature: "\
        a avec bonjour es est etes je juste ou que qu reellement suis un une vrai vraie \
        vraiment",
    small_talk: "\
        accord au bien bon bonjour bonne bonsoir ca comment coucou d journee ok oui parfait \
        revoir salut soiree super va",
    thanks: "aide beaucoup bien de infiniment merci mille pour votre",
};

const TURKISH: Vocabulary = Vocabulary {
    people: "\
        gorevli gorevliyle insan insana insanla kisi kisiyle operator operatore personel \
        temsilci temsilciniz temsilcinizle temsilcisi temsilcisine temsilcisiyle temsilciye \
        temsilciyle yetkili yetkiliye yetkiliyle",
    somebody: "biri birine birisi birisiyle biriyle destek ekiple",
    talking: "\
        aktar aktarin bagla baglan baglanmak baglar baglayin gorusebilir goruselim gorusmek \
        konusabilir konusmak ulasmak yazismak",
    pairs: &[("canli", "destek"), ("musteri", "hizmetleri"), ("musteri", "hizmetlerine")],
    around_wish: "\
        artik bana beni ben bir canli destek evet gercek hayir ile istiyorum isterim lutfen \
        merhaba mi misin misiniz miyim musteri hizmetleri hizmetlerine selam simdi tesekkurler",
    addressed: "bu konusuyorum misin misiniz musun musunuz sen siz yazisiyorum",
    natures: "bot botla gercek insan insanla kisi kisiyle makine robot robotla yapay",
    around_nature: "acaba bir ile merhaba mi mu sadece yoksa zeka",
    small_talk: "\
        aksamlar evet gorusuruz gunaydin gunler harika hosca iyi kal merhaba merhabalar naber \
        nasilsin nasilsiniz ok selam selamlar super tamam",
    thanks: "cok ederim ederiz eyvallah icin sagol sagolun tesekkur tesekkurler yardiminiz",
};

/// The words that thank by themselves, in every language.
const THANKING: Words = "\
    appreciated cheers dank danke eyvallah gracias merci sagol sagolun tesekkur tesekkurler thank thanks thanx thx ty";

const ALL: &[Vocabulary] = &[ENGLISH, GERMAN, SPANISH, FRENCH, TURKISH];

/// Whether the message, or one whole sentence of a short message, is a wish to talk to a person and
/// nothing else.
#[must_use]
pub fn asks_for_person(text: &str) -> bool {
    sentences_of_short(text).iter().any(|sentence| ALL.iter().any(|words| words.wish(sentence)))
}

/// Whether the message, or one sentence of a short message, asks if this is a machine.
#[must_use]
pub fn asks_if_bot(text: &str) -> bool {
    sentences_of_short(text).iter().any(|sentence| ALL.iter().any(|words| words.nature(sentence)))
}

/// Whether the message is only a greeting, a farewell, assent or thanks.
#[must_use]
pub fn is_small_talk(text: &str) -> bool {
    let said = words(text, MAX_WORDS + 1);
    let polite = |known: &Vocabulary| all_in(&said, &[known.small_talk, known.thanks]);
    !said.is_empty() && said.len() <= MAX_WORDS && ALL.iter().any(polite)
}

/// Whether small talk thanks.
#[must_use]
pub fn is_thanks(text: &str) -> bool {
    any_in(&words(text, MAX_WORDS), THANKING)
}

/// Whether a message that is no wish names a person one may ask for.
#[must_use]
pub fn mentions_person(text: &str) -> bool {
    let said = words(text, MAX_WORDS_READ);
    ALL.iter().any(|known| any_in(&said, known.people))
}

/// The words of each sentence; none at all of a message that is too long.
fn sentences_of_short(text: &str) -> Vec<Vec<String>> {
    if words(text, MAX_WORDS + 1).len() > MAX_WORDS {
        return Vec::new();
    }
    let parts = text.split(['.', '!', '?', ';', '\n', '。', '！', '？']);
    parts.map(|part| words(part, MAX_WORDS)).filter(|said| !said.is_empty()).collect()
}

fn contains(list: Words, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

fn any_in(said: &[String], list: Words) -> bool {
    said.iter().any(|word| contains(list, word))
}

fn all_in(said: &[String], lists: &[Words]) -> bool {
    said.iter().all(|word| lists.iter().any(|list| contains(list, word)))
}

impl Vocabulary {
    fn wish(&self, said: &[String]) -> bool {
        let asked = any_in(said, self.people)
            || (any_in(said, self.somebody) && any_in(said, self.talking))
            || said.windows(2).any(|two| {
                self.pairs.iter().any(|(first, second)| two[0] == *first && two[1] == *second)
            });
        asked
            && !self.nature(said)
            && all_in(said, &[self.people, self.somebody, self.talking, self.around_wish])
    }

    fn nature(&self, said: &[String]) -> bool {
        any_in(said, self.addressed)
            && any_in(said, self.natures)
            && all_in(said, &[self.addressed, self.natures, self.around_nature])
    }
}

#[cfg(test)]
mod tests {
    use super::{asks_for_person, asks_if_bot, is_small_talk, is_thanks, mentions_person};

    #[test]
    fn whole_messages_are_wishes() {
        for wish in [
            "agent",
            "Agent!!!",
            "talk to a human",
            "human please",
            "Can I speak to a real person, please?",
            "I'd like to talk to someone",
            "Is there a human I can talk to?",
            "customer service",
            "This is useless. Let me talk to a person.",
            "Mitarbeiter bitte",
            "Ich möchte mit einem Menschen sprechen",
            "Kann ich mit jemandem reden?",
            "Quiero hablar con una persona",
            "Atención al cliente",
            "agente por favor",
            "Je voudrais parler à un conseiller",
            "Parler à quelqu’un s’il vous plaît",
            "service client",
            "Temsilciye bağlanmak istiyorum",
            "İnsanla görüşmek istiyorum",
            "müşteri hizmetleri",
            "canlı destek lütfen",
        ] {
            assert!(asks_for_person(wish), "{wish}");
        }
    }

    #[test]
    fn parts_of_sentences_are_not() {
        for other in [
            "",
            "How do I become an agent?",
            "I don't want to talk to a human",
            "The agent told me that my refund would arrive on Monday, where is it?",
            "is it safe for one person in a tent",
            "support",
            "Are you a human?",
            "insan mısın",
            "Wie erreiche ich den Mitarbeiter, der mir gestern geschrieben hat?",
            "someone stole my parcel",
            "can you help me",
        ] {
            assert!(!asks_for_person(other), "{other}");
        }
        assert!(mentions_person("The agent told me that my refund would arrive"));
        assert!(!mentions_person("where is my refund"));
    }

    #[test]
    fn questions_about_the_machine() {
        for question in [
            "Are you a bot?",
            "are you real",
            "Am I talking to a real person?",
            "is this an AI",
            "Hi! Are you human or a bot?",
            "Spreche ich mit einem Menschen?",
            "Sind Sie ein Roboter?",
            "¿Hablo con una persona?",
            "Tu es un bot ?",
            "C'est un robot ?",
            "Gerçek misin?",
            "Yapay zeka mısınız",
        ] {
            assert!(asks_if_bot(question), "{question}");
        }
        for other in ["Do you sell robots?", "talk to a real person", "bot", "is this waterproof"] {
            assert!(!asks_if_bot(other), "{other}");
        }
    }

    #[test]
    fn small_talk_is_made_of_nothing_else() {
        for talk in [
            "hello",
            "Good morning!",
            "ok thanks",
            "No, that's all, thank you",
            "how are you?",
            "Guten Morgen",
            "¿Qué tal?",
            "Bonsoir",
            "Günaydın",
            "that would be great",
        ] {
            assert!(is_small_talk(talk), "{talk}");
        }
        for other in
            ["", "hello, where is my order", "good lamp", "danke, aber die Lampe ist kaputt"]
        {
            assert!(!is_small_talk(other), "{other}");
        }
        assert!(is_thanks("Many thanks!") && !is_thanks("hello"));
    }
}

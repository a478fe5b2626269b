//! The assistant's fixed sentences, one set a language. Data only. The assistant never writes
//! sentences of its own beside these: everything else it says is quoted.

use crate::search::language::primary;

/// The sentences of one language.
#[derive(Debug)]
pub struct Phrases {
    /// The primary language subtag.
    pub language: &'static str,
    /// Answers a greeting.
    pub greeting: &'static str,
    /// Answers thanks.
    pub welcome: &'static str,
    /// Leads the list of the most-read articles.
    pub popular: &'static str,
    /// Says that one may talk to a person.
    pub person: &'static str,
    /// Opens a clarifying question.
    pub clarify: &'static str,
    /// Leads the list of titles in a clarifying question.
    pub clarify_titles: &'static str,
    /// The whole clarifying question where nothing was found.
    pub clarify_nothing: &'static str,
    /// Answers "are you a bot?".
    pub identify: &'static str,
}

const ENGLISH: Phrases = Phrases {
    language: "en",
    greeting: "Hello! I am the automated assistant. Ask me a question and I will look it up.",
    welcome: "You are welcome! If there is anything else, just ask.",
    popular: "These articles are read most:",
    person: "You can talk to a person at any time.",
    clarify: "I am not sure that I understand.",
    clarify_titles: "Is it about one of these?",
    clarify_nothing: "I did not find anything about that. Could you put it in other words?",
    identify: "Yes, I am an automated assistant, not a person. I answer from our help articles, \
               and you can talk to a person at any time.",
};

const GERMAN: Phrases = Phrases {
    language: "de",
    greeting: "Hallo! Ich bin der automatische Assistent. Stellen Sie mir eine Frage, und ich sehe \
               für Sie nach.",
    welcome: "Gern geschehen! Wenn noch etwas ist, fragen Sie einfach.",
    popular: "Diese Artikel werden am meisten gelesen:",
    person: "Sie können jederzeit mit einem Menschen sprechen.",
    clarify: "Ich bin nicht sicher, ob ich Sie richtig verstehe.",
    clarify_titles: "Geht es um eines davon?",
    clarify_nothing: "Dazu habe ich nichts gefunden. Können Sie es anders ausdrücken?",
    identify: "Ja, ich bin ein automatischer Assistent und kein Mensch. Ich antworte aus unseren \
               Hilfeartikeln, und Sie können jederzeit mit einem Menschen sprechen.",
};

const SPANISH: Phrases = Phrases {
    language: "es",
    greeting: "¡Hola! Soy el asistente automático. Hágame una pregunta y buscaré la respuesta.",
    welcome: "¡De nada! Si necesita algo más, pregunte.",
    popular: "Estos son los artículos más leídos:",
    person: "Puede hablar con una persona en cualquier momento.",
    clarify: "No estoy seguro de haber entendido.",
    clarify_titles: "¿Se trata de alguno de estos temas?",
    clarify_nothing: "No he encontrado nada sobre eso. ¿Puede decirlo con otras palabras?",
    identify: "Sí, soy un asistente automático, no una persona. Respondo con nuestros artículos de \
               ayuda, y puede hablar con una persona en cualquier momento.",
};

const FRENCH: Phrases = Phrases {
    language: "fr",
    greeting: "Bonjour ! Je suis l’assistant automatique. Posez-moi une question et je chercherai \
               la réponse.",
    welcome: "Je vous en prie ! Si vous avez une autre question, n’hésitez pas.",
    popular: "Voici les articles les plus lus :",
    person: "Vous pouvez parler à une personne à tout moment.",
    clarify: "Je ne suis pas sûr d’avoir compris.",
    clarify_titles: "S’agit-il de l’un de ces sujets ?",
    clarify_nothing: "Je n’ai rien trouvé à ce sujet. Pouvez-vous le dire autrement ?",
    identify: "Oui, je suis un assistant automatique et non une personne. Je réponds à partir de \
               nos articles d’aide, et vous pouvez parler à une personne à tout moment.",
};

const TURKISH: Phrases = Phrases {
    language: "tr",
    greeting: "Merhaba! Ben otomatik asistanım. Bir soru sorun, sizin için araştırayım.",
    welcome: "Rica ederim! Başka bir sorunuz olursa sormanız yeterli.",
    popular: "En çok okunan makaleler:",
    person: "İstediğiniz zaman bir kişiyle görüşebilirsiniz.",
    clarify: "Doğru anladığımdan emin değilim.",
    clarify_titles: "Şunlardan biriyle mi ilgili?",
    clarify_nothing: "Bununla ilgili bir şey bulamadım. Başka sözcüklerle anlatabilir misiniz?",
    identify: "Evet, ben otomatik bir asistanım, insan değilim. Yardım makalelerimizden yanıt \
               veririm; istediğiniz zaman bir kişiyle görüşebilirsiniz.",
};

/// Every language the assistant has sentences in.
pub const ALL: &[Phrases] = &[ENGLISH, GERMAN, SPANISH, FRENCH, TURKISH];

/// The sentences for a locale; English where there are none.
#[must_use]
pub fn of(locale: &str) -> &'static Phrases {
    const FALLBACK: &Phrases = &ENGLISH;
    let language = primary(locale);
    ALL.iter().find(|phrases| phrases.language == language).unwrap_or(FALLBACK)
}

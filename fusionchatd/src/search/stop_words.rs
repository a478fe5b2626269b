//! Words that carry no subject of their own: what the search library's lists lack for questions
//! typed to a help desk. Data only: words with spaces between.

/// English: the whole list, without `not`, since "does not charge" is another subject than
/// "charge". Question words, auxiliaries, pronouns, light verbs, and the courtesies of a question.
pub(crate) const ENGLISH: &str = "\
    a about after again all also am an and any anymore anything are as at be because been \
    before being both bring but by ca can come comes could d did do does doing done each else \
    even ever for from get gets getting give go going got had has have having he hello help her \
    here hey hi him his how i if in into is it its itself just kindly know let like ll long m \
    make makes many may me might mine more most much must my myself no need needs now of off oh \
    ok okay on once one only or other our ours out over please pls put question re really s \
    shall she should so some something soon still such t take takes taking tell than thank \
    thanks that the their them then there these they thing things this those through to too u \
    under until up us use used using ve very want wants was we were what whats when where which \
    while who whom whose why will with wo would yes yet you your yours yourself";

/// German.
pub(crate) const GERMAN: &str = "\
    bitte brauche danke denn etwas frage geht gern gerne gibt habe hallo hilfe ja kann kannst \
    können könnt lange mal mein meine meinen möchte muss nein soll wann warum was welche \
    welcher welches wer weshalb wie wieso wieviel will wo woher wohin";

/// Spanish.
pub(crate) const SPANISH: &str = "\
    ayuda cómo como cuál cuáles cuándo cuánta cuántas cuánto cuántos dónde favor gracias hacer \
    hay hola necesito por porqué pregunta puede puedo qué quién quiero saber sí tengo tiene";

/// French.
pub(crate) const FRENCH: &str = "\
    aide aimerais besoin bonjour combien comment dois est faire faut fait lequel laquelle merci \
    non oui où peut peux plaît pouvez pourquoi puis qu quand que quel quelle quelles quels \
    question qui quoi salut savoir svp veux voudrais";

/// Turkish: the library has no list at all.
pub(crate) const TURKISH: &str = "\
    acaba ama bana bazı belki ben beni benim bir biz bu bunu böyle da daha de değil diye \
    edebilir eder en gibi hangi hem hep her için ile ise istiyorum kaç kadar ki kim lütfen \
    merhaba mi mu mü mı misiniz mısınız nasıl ne neden nerede nereye nedir niçin niye o olan \
    olarak olur onu sadece selam sen siz sizin soru sorum şey şu teşekkür teşekkürler var ve \
    veya ya yapabilir yardım yok zaman";

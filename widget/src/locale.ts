// The widget's sentences. A language is one table; what it lacks is said in English.

export interface Words {
  you: string;
  assistant: string;
  agent: string;
  waiting: string;
  done: string;
  staffed: string;
  unstaffed: string;
  hello: string;
  askAssistant: string;
  askPeople: string;
  askLater: string;
  messages: string;
  composer: string;
  send: string;
  close: string;
  person: string;
  end: string;
  endSure: string;
  sources: string;
  latest: string;
  unsent: string;
  sending: string;
  sent: string;
  seen: string;
  edit: string;
  left: string;
  tooLong: string;
  full: string;
  typing: string;
  reconnecting: string;
  refused: string;
  escalatedStaffed: string;
  escalatedUnstaffed: string;
  claimed: string;
  released: string;
  handedBack: string;
  resolved: string;
  resolvedByVisitor: string;
  reopened: string;
  silence: string;
  removed: string;
  helped: string;
  errors: Record<string, string>;
}

const EN: Words = {
  you: "You",
  assistant: "Assistant",
  agent: "Agent",
  waiting: "Waiting for a person",
  done: "Done",
  staffed: "A person will answer",
  unstaffed: "Nobody is available right now",
  hello: "Hello! How can we help?",
  askAssistant: "The assistant answers at once. You can ask for a person at any time.",
  askPeople: "Write to us. A person will answer you here.",
  askLater: "Nobody is available right now. Write anyway: your message will be answered.",
  messages: "Messages",
  composer: "Write a message",
  send: "Send",
  close: "Close chat",
  person: "Talk to a person",
  end: "End chat",
  endSure: "End this chat?",
  sources: "Sources",
  latest: "New messages",
  unsent: "Not sent yet",
  sending: "Sending",
  sent: "Sent",
  seen: "Seen",
  edit: "Edit",
  left: "% characters left",
  tooLong: "% characters too many",
  full: "Wait until your earlier messages are sent",
  typing: "% is typing",
  reconnecting: "Reconnecting. Your message is kept.",
  refused: "This page may not use the chat.",
  escalatedStaffed: "We are getting a person for you.",
  escalatedUnstaffed: "Nobody is available right now. Your message is kept and will be answered.",
  claimed: "% is here for you.",
  released: "You are waiting for a person again.",
  handedBack: "The assistant is answering again.",
  resolved: "This conversation is done. Write again whenever you like.",
  resolvedByVisitor: "You ended the conversation. Write again whenever you like.",
  reopened: "The conversation goes on.",
  silence: "Are you still there? Without a word from you this conversation ends in a while.",
  removed: "This message was removed.",
  helped: "This helped",
  errors: {
    empty_message: "The message was empty.",
    message_too_long: "The message is too long.",
    forbidden: "This is not allowed here.",
    unavailable: "The chat cannot take this now.",
  },
};

const TABLES: Record<string, Partial<Words>> = {
  en: EN,
  de: {
    you: "Sie",
    assistant: "Assistent",
    agent: "Mitarbeiter",
    waiting: "Wartet auf einen Menschen",
    done: "Erledigt",
    staffed: "Ein Mensch antwortet",
    unstaffed: "Gerade ist niemand da",
    hello: "Hallo! Wie können wir helfen?",
    askAssistant:
      "Der Assistent antwortet sofort. Sie können jederzeit nach einem Menschen fragen.",
    askPeople: "Schreiben Sie uns. Ein Mensch antwortet Ihnen hier.",
    askLater: "Gerade ist niemand da. Schreiben Sie trotzdem: Sie bekommen eine Antwort.",
    messages: "Nachrichten",
    composer: "Nachricht schreiben",
    send: "Senden",
    close: "Chat schließen",
    person: "Mit einem Menschen sprechen",
    end: "Chat beenden",
    endSure: "Chat wirklich beenden?",
    sources: "Quellen",
    latest: "Neue Nachrichten",
    unsent: "Noch nicht gesendet",
    sending: "Wird gesendet",
    sent: "Gesendet",
    seen: "Gelesen",
    edit: "Bearbeiten",
    left: "Noch % Zeichen",
    tooLong: "% Zeichen zu viel",
    full: "Bitte warten, bis die früheren Nachrichten gesendet sind",
    typing: "% schreibt",
    reconnecting: "Verbindung wird wiederhergestellt. Ihre Nachricht bleibt erhalten.",
    refused: "Diese Seite darf den Chat nicht nutzen.",
    escalatedStaffed: "Wir holen einen Menschen für Sie.",
    escalatedUnstaffed:
      "Gerade ist niemand da. Ihre Nachricht bleibt erhalten und wird beantwortet.",
    claimed: "% ist für Sie da.",
    released: "Sie warten wieder auf einen Menschen.",
    handedBack: "Der Assistent antwortet wieder.",
    resolved: "Dieses Gespräch ist erledigt. Schreiben Sie jederzeit wieder.",
    resolvedByVisitor: "Sie haben das Gespräch beendet. Schreiben Sie jederzeit wieder.",
    reopened: "Das Gespräch geht weiter.",
    silence: "Sind Sie noch da? Ohne ein Wort von Ihnen endet dieses Gespräch nach einer Weile.",
    removed: "Diese Nachricht wurde entfernt.",
    helped: "Das hat geholfen",
    errors: {
      message_too_long: "Die Nachricht ist zu lang.",
      unavailable: "Der Chat kann das gerade nicht annehmen.",
    },
  },
  es: {
    you: "Tú",
    assistant: "Asistente",
    agent: "Agente",
    waiting: "Esperando a una persona",
    done: "Terminado",
    staffed: "Te responderá una persona",
    unstaffed: "Ahora no hay nadie disponible",
    hello: "¡Hola! ¿En qué podemos ayudarte?",
    askAssistant: "El asistente responde al instante. Puedes pedir una persona cuando quieras.",
    askPeople: "Escríbenos. Una persona te responderá aquí.",
    askLater: "Ahora no hay nadie disponible. Escríbenos igualmente: recibirás respuesta.",
    messages: "Mensajes",
    composer: "Escribe un mensaje",
    send: "Enviar",
    close: "Cerrar el chat",
    person: "Hablar con una persona",
    end: "Terminar el chat",
    endSure: "¿Terminar este chat?",
    sources: "Fuentes",
    latest: "Mensajes nuevos",
    unsent: "Aún no enviado",
    sending: "Enviando",
    sent: "Enviado",
    seen: "Visto",
    edit: "Editar",
    left: "Quedan % caracteres",
    tooLong: "Sobran % caracteres",
    full: "Espera a que se envíen tus mensajes anteriores",
    typing: "% está escribiendo",
    reconnecting: "Reconectando. Tu mensaje se conserva.",
    refused: "Esta página no puede usar el chat.",
    escalatedStaffed: "Estamos buscando a una persona para ti.",
    escalatedUnstaffed: "Ahora no hay nadie disponible. Tu mensaje se guarda y recibirá respuesta.",
    claimed: "% está aquí para ayudarte.",
    released: "Vuelves a esperar a una persona.",
    handedBack: "El asistente vuelve a responder.",
    resolved: "Esta conversación ha terminado. Escribe de nuevo cuando quieras.",
    resolvedByVisitor: "Has terminado la conversación. Escribe de nuevo cuando quieras.",
    reopened: "La conversación continúa.",
    silence: "¿Sigues ahí? Si no escribes, esta conversación terminará dentro de un tiempo.",
    removed: "Este mensaje se ha eliminado.",
    helped: "Me ha servido",
    errors: {
      message_too_long: "El mensaje es demasiado largo.",
      unavailable: "El chat no puede aceptarlo ahora.",
    },
  },
  fr: {
    you: "Vous",
    assistant: "Assistant",
    agent: "Conseiller",
    waiting: "En attente d’une personne",
    done: "Terminé",
    staffed: "Une personne vous répondra",
    unstaffed: "Personne n’est disponible pour l’instant",
    hello: "Bonjour ! Comment pouvons-nous vous aider ?",
    askAssistant: "L’assistant répond aussitôt. Vous pouvez demander une personne à tout moment.",
    askPeople: "Écrivez-nous. Une personne vous répondra ici.",
    askLater: "Personne n’est disponible. Écrivez quand même : vous recevrez une réponse.",
    messages: "Messages",
    composer: "Écrire un message",
    send: "Envoyer",
    close: "Fermer le chat",
    person: "Parler à une personne",
    end: "Terminer le chat",
    endSure: "Terminer ce chat ?",
    sources: "Sources",
    latest: "Nouveaux messages",
    unsent: "Pas encore envoyé",
    sending: "Envoi",
    sent: "Envoyé",
    seen: "Vu",
    edit: "Modifier",
    left: "Encore % caractères",
    tooLong: "% caractères de trop",
    full: "Attendez que vos messages précédents soient envoyés",
    typing: "% écrit",
    reconnecting: "Reconnexion. Votre message est conservé.",
    refused: "Cette page ne peut pas utiliser le chat.",
    escalatedStaffed: "Nous cherchons une personne pour vous.",
    escalatedUnstaffed:
      "Personne n’est disponible. Votre message est conservé et recevra une réponse.",
    claimed: "% est là pour vous.",
    released: "Vous attendez de nouveau une personne.",
    handedBack: "L’assistant répond de nouveau.",
    resolved: "Cette conversation est terminée. Écrivez-nous de nouveau quand vous voulez.",
    resolvedByVisitor:
      "Vous avez terminé la conversation. Écrivez-nous de nouveau quand vous voulez.",
    reopened: "La conversation continue.",
    silence: "Êtes-vous toujours là ? Sans un mot de vous, cette conversation se terminera bientôt.",
    removed: "Ce message a été supprimé.",
    helped: "Cela m’a aidé",
    errors: {
      message_too_long: "Le message est trop long.",
      unavailable: "Le chat ne peut pas l’accepter maintenant.",
    },
  },
  tr: {
    you: "Siz",
    assistant: "Asistan",
    agent: "Temsilci",
    waiting: "Bir yetkili bekleniyor",
    done: "Tamamlandı",
    staffed: "Bir yetkili yanıtlayacak",
    unstaffed: "Şu anda kimse müsait değil",
    hello: "Merhaba! Nasıl yardımcı olabiliriz?",
    askAssistant: "Asistan hemen yanıtlar. Dilediğiniz an bir yetkili isteyebilirsiniz.",
    askPeople: "Bize yazın. Bir yetkili size buradan yanıt verecek.",
    askLater: "Şu anda kimse müsait değil. Yine de yazın: mesajınız saklanır ve yanıtlanır.",
    messages: "Mesajlar",
    composer: "Mesaj yazın",
    send: "Gönder",
    close: "Sohbeti kapat",
    person: "Bir yetkiliyle görüş",
    end: "Sohbeti bitir",
    endSure: "Sohbet bitirilsin mi?",
    sources: "Kaynaklar",
    latest: "Yeni mesajlar",
    unsent: "Henüz gönderilmedi",
    sending: "Gönderiliyor",
    sent: "Gönderildi",
    seen: "Görüldü",
    edit: "Düzenle",
    left: "% karakter kaldı",
    tooLong: "% karakter fazla",
    full: "Önceki mesajlarınız gönderilene kadar bekleyin",
    typing: "% yazıyor",
    reconnecting: "Yeniden bağlanılıyor. Mesajınız saklandı.",
    refused: "Bu sayfa sohbeti kullanamaz.",
    escalatedStaffed: "Sizin için bir yetkili çağırıyoruz.",
    escalatedUnstaffed: "Şu anda kimse müsait değil. Mesajınız saklandı ve yanıtlanacak.",
    claimed: "% sizinle ilgileniyor.",
    released: "Yeniden bir yetkili bekliyorsunuz.",
    handedBack: "Asistan yeniden yanıtlıyor.",
    resolved: "Bu görüşme tamamlandı. Dilediğiniz zaman yeniden yazın.",
    resolvedByVisitor: "Görüşmeyi bitirdiniz. Dilediğiniz zaman yeniden yazın.",
    reopened: "Görüşme devam ediyor.",
    silence: "Hâlâ orada mısınız? Yazmazsanız bu görüşme bir süre sonra sona erecek.",
    removed: "Bu mesaj kaldırıldı.",
    helped: "Bu işe yaradı",
    errors: { message_too_long: "Mesaj çok uzun.", unavailable: "Sohbet bunu şu anda alamıyor." },
  },
};

/** The language of the widget: the first wanted one that there is a table for. */
export function chooseLanguage(wanted: (string | undefined)[]): string {
  const languages = wanted.map((tag) => (tag ?? "").slice(0, 2).toLowerCase());
  return languages.find((language) => language in TABLES) ?? "en";
}

export function wordsFor(language: string): Words {
  return { ...EN, ...TABLES[language] };
}

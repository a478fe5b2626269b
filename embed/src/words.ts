// The few words the loader itself says; everything else is the frame's.

export interface LauncherWords {
  chat: string;
  open: string;
  close: string;
  unread: string;
  failed: string;
  again: string;
}

const TABLE: Record<string, string> = {
  en: "Chat|Open chat|Close chat|new|The chat could not be loaded.|Try again",
  de: "Chat|Chat öffnen|Chat schließen|neu|Der Chat konnte nicht geladen werden.|Erneut versuchen",
  es: "Chat|Abrir el chat|Cerrar el chat|sin leer|No se pudo cargar el chat.|Reintentar",
  fr: "Chat|Ouvrir le chat|Fermer le chat|non lus|Le chat n’a pas pu être chargé.|Réessayer",
  tr: "Sohbet|Sohbeti aç|Sohbeti kapat|yeni|Sohbet yüklenemedi.|Yeniden dene",
};

export function launcherWords(locale: string): LauncherWords {
  const row = TABLE[locale.slice(0, 2).toLowerCase()] ?? TABLE.en;
  const [chat, open, close, unread, failed, again] = row.split("|");
  return { chat, open, close, unread, failed, again };
}

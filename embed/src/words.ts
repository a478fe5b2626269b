// The few words the loader itself says; everything else is the frame's.

export interface LauncherWords {
  chat: string;
  unread: string;
  failed: string;
  again: string;
}

const TABLE: Record<string, string> = {
  en: "Chat|new|The chat could not be loaded.|Try again",
  de: "Chat|neu|Der Chat konnte nicht geladen werden.|Erneut versuchen",
  es: "Chat|sin leer|No se pudo cargar el chat.|Reintentar",
  fr: "Chat|non lus|Le chat n’a pas pu être chargé.|Réessayer",
  tr: "Sohbet|yeni|Sohbet yüklenemedi.|Yeniden dene",
};

export function launcherWords(locale: string): LauncherWords {
  const row = TABLE[locale.slice(0, 2).toLowerCase()] ?? TABLE.en;
  const [chat, unread, failed, again] = row.split("|");
  return { chat, unread, failed, again };
}

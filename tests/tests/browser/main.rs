//! The chat in a real Chromium, as a visitor sees it on somebody's page.

mod answer;
mod delivery;
mod demo;
mod hostile;
mod shop;
mod story;
mod strict;
mod tabs;
mod words;

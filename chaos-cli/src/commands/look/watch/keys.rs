//! What is pressed.

use std::thread;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Quit,
    Halt,
    Pause,
    Help,
    Up,
    Down,
    /// The size of the terminal has changed.
    Redraw,
}

/// Returns the keys that are pressed from now on. A thread waits for them, which ends with the process.
pub(super) fn keys() -> UnboundedReceiver<Key> {
    let (send, receive) = unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(key) = meaning(&event)
                && send.send(key).is_err()
            {
                return;
            }
        }
    });
    receive
}

fn meaning(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Resize(..) => return Some(Key::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if is_control => Some(Key::Quit),
        // Other keys with Control do nothing: they are pressed by mistake for keys of a shell.
        _ if is_control => None,
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('h') => Some(Key::Halt),
        KeyCode::Char('p') => Some(Key::Pause),
        KeyCode::Char('?') => Some(Key::Help),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        _ => None,
    }
}

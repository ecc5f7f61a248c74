#![doc = include_str!("../README.md")]

pub mod access;
pub mod clock;
pub mod failure;
pub mod text;

pub mod argument;
pub mod draft;
pub mod schema;
pub mod tools;

pub mod catalogue;
pub mod control;
pub mod desk;

pub mod cache;
pub mod clients;
pub mod config;
pub mod identity;
mod input;
mod invocation;
mod json;
pub mod notify;
pub mod observe;
pub mod outbound;
mod owner_only;
mod random;
pub mod secret;
mod settings;
pub mod vendors;

pub mod cli;
mod page;
pub mod server;

pub mod sandbox;

pub use control::{approvers, guard, intent, ledger, requester};

#![doc = include_str!("../README.md")]

pub mod access;
pub mod failure;
pub mod text;

pub mod argument;
pub mod draft;
pub mod schema;
pub mod tools;

pub mod approvers;
pub mod catalogue;
pub mod desk;
pub mod guard;
pub mod intent;
pub mod ledger;

pub mod auth;
pub mod config;
mod given;
mod json;
pub mod memo;
pub mod observe;
mod private;
mod random;
pub mod secret;
pub mod transport;
pub mod vendors;

pub mod cli;
pub mod server;

pub mod sandbox;

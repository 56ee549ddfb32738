//! stub
use super::Severity;
use std::borrow::Cow;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortClass {
    Admin,
    Database,
    Other,
}
#[derive(Debug, Clone)]
pub struct SensitivePort {
    pub protocol: u8,
    pub port: u16,
    pub name: Cow<'static, str>,
    pub class: PortClass,
    pub severity: Severity,
}
#[derive(Debug, Clone)]
pub struct PortProfile {
    pub name: String,
    pub services: Vec<SensitivePort>,
}
pub const PROFILES: [&str; 5] = ["default", "aws-security-hub", "trusted-advisor", "cis", "prowler"];
impl PortProfile {
    pub fn named(name: &str) -> Option<Self> {
        Some(Self { name: name.into(), services: vec![] })
    }
    pub fn custom(name: &str, services: Vec<SensitivePort>) -> Self {
        Self { name: name.into(), services }
    }
    pub fn services(&self) -> Vec<(u8, u16)> {
        self.services.iter().map(|s| (s.protocol, s.port)).collect()
    }
}

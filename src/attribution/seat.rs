//! What the commonest records ask of an interface in a state, in one cache line.

use wide::u32x4;

use super::address::Class;
use super::index::{LineageNumber, Run};
use super::port_classes::PortSet;

/// See the module.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Seat {
    /// Its IPv4 addresses, the first one repeated.
    own: [u32; 4],
    /// By transport (tcp, udp) and direction: how its rules tell ports apart.
    pub(super) ports: [[PortSet; 2]; 2],
    pub(super) kin: Kin,
    /// The number of its profile among those of all states.
    pub(super) profile: u32,
    pub(super) lineage: LineageNumber,
    pub(super) stand: Stand,
}

/// What of an interface its seat can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// Everything.
    Told,
    /// Everything but its addresses, which are many or have prefixes among them.
    AddressesElsewhere,
    /// It has no groups, or too many ports to tell apart: its records are judged one by one.
    Alone,
}

/// How the rules of an interface name the classes of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kin(u32);

impl Kin {
    /// By the class itself.
    pub(super) const CLASS: Self = Self(u32::MAX);

    /// Classes that the rules do not tell apart have one number, at this place of a list plus the class.
    pub(super) fn folded(from: usize) -> Self {
        u32::try_from(from).map_or(Self::CLASS, Self)
    }

    #[inline(always)]
    pub(super) fn of(self, Class(class): Class, folded: &[u16]) -> u32 {
        if self == Self::CLASS { class } else { folded[self.0 as usize + class as usize].into() }
    }
}

impl Seat {
    /// The seat of an interface; `ports` is None where they are too many to tell apart.
    pub(super) fn of(run: &Run, kin: Kin, ports: Option<[[PortSet; 2]; 2]>) -> Self {
        let Run { placed, lineage, .. } = run;
        let first = placed.v4.first().copied().unwrap_or_default();
        let own = std::array::from_fn(|at| placed.v4.get(at).copied().unwrap_or(first));
        let all = (1..=own.len()).contains(&placed.v4.len()) && placed.interface.prefixes.is_empty();
        let profile = u32::try_from(placed.profile.number).ok();
        let stand = match profile.and(ports) {
            None => Stand::Alone,
            Some(_) if placed.interface.group_ids.is_empty() => Stand::Alone,
            Some(_) if all => Stand::Told,
            Some(_) => Stand::AddressesElsewhere,
        };
        let profile = profile.unwrap_or_default();
        Self { own, ports: ports.unwrap_or_default(), kin, profile, lineage: *lineage, stand }
    }

    /// Which of the two addresses it owns, where the seat tells.
    #[inline(always)]
    pub(super) fn owns_either(&self, one: u32, other: u32) -> (bool, bool) {
        let own = u32x4::new(self.own);
        let owns = |address: u32| own.simd_eq(u32x4::splat(address)).to_bitmask() != 0;
        (owns(one), owns(other))
    }
}

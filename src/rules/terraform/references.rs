//! Which resource an id will be of that the plan does not know yet: the configuration tells what an attribute was
//! written with.
//!
//! An expression comes as the list of what it refers to, not as what it does with it, so an answer is given only where
//! no other is possible. Source: <https://developer.hashicorp.com/terraform/internals/json-format#expression-representation>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::block::Missing;
use super::resource::{Resource, Resources, Step, steps};

/// No expression that can be told for sure refers to more.
const MOST_REFERENCES: usize = 64;

/// No id passes through more variables and outputs.
const MOST_STEPS: usize = 256;

/// A resource block of a module: its type and name in it.
type BlockKey<'a, Module> = (Vec<Module>, &'a str, &'a str);

/// The configuration of a plan beside the instances it makes.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    /// Module blocks by the names of the calls that lead to them.
    modules: BTreeMap<Vec<&'a str>, &'a Value>,
    /// Expressions of resource blocks by module, type and name.
    expressions: BTreeMap<BlockKey<'a, &'a str>, &'a Value>,
    /// Ids of instances by module instance, type and name, then index.
    instances: BTreeMap<BlockKey<'a, Step<'a>>, BTreeMap<Option<&'a str>, String>>,
    module_instances: BTreeSet<Vec<Step<'a>>>,
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy)]
struct Place<'p, 'a> {
    module: &'p [Step<'a>],
    /// What `each.key` or `count.index` is there.
    index: Option<&'a str>,
}

/// Where the references of an expression lead.
#[derive(Debug, Default)]
struct Led {
    ids: BTreeSet<String>,
    /// Whether some lead to what is known before the plan is applied: an input variable, a constant.
    settled: bool,
}

impl<'a> References<'a> {
    pub(super) fn of(configuration: &'a Value, resources: &Resources<'a>) -> Self {
        let mut references = Self::default();
        if let Some(root) = configuration.get("root_module") {
            references.add_module(Vec::new(), root);
        }
        for ((_, deposed), resource) in &resources.managed {
            let module = &resource.module;
            for depth in 0..=module.len() {
                references.module_instances.insert(module.iter().copied().take(depth).collect());
            }
            if deposed.is_empty() {
                references
                    .instances
                    .entry((module.clone(), resource.kind, resource.name))
                    .or_default()
                    .insert(resource.index, resource.id());
            }
        }
        references
    }

    fn add_module(&mut self, path: Vec<&'a str>, module: &'a Value) {
        for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| resource.get(key).and_then(Value::as_str);
            let is_managed = text("mode").is_none_or(|mode| mode == "managed");
            if let (true, Some(kind), Some(name), Some(expressions)) =
                (is_managed, text("type"), text("name"), resource.get("expressions"))
            {
                self.expressions.insert((path.clone(), kind, name), expressions);
            }
        }
        for (name, call) in module.get("module_calls").and_then(Value::as_object).into_iter().flatten() {
            if let Some(inner) = call.get("module") {
                let mut path = path.clone();
                path.push(name);
                self.add_module(path, inner);
            }
        }
        self.modules.insert(path, module);
    }

    /// What the attributes of a resource were written with.
    fn expressions(&self, resource: &Resource<'a>) -> Option<&'a Value> {
        self.expressions.get(&(names(&resource.module), resource.kind, resource.name)).copied()
    }

    /// Whether the configuration writes an attribute. None: the configuration of the resource is not there.
    pub(super) fn writes(&self, resource: &Resource<'a>, key: &str) -> Option<bool> {
        Some(self.expressions(resource)?.get(key).is_some())
    }

    /// The id an attribute will hold, of a resource of one of these types.
    pub(super) fn id(&self, resource: &Resource<'a>, key: &str, kinds: &[&str]) -> Option<String> {
        let mut ids = self.led(resource, key, kinds)?.ids;
        if ids.len() == 1 { ids.pop_first() } else { None }
    }

    /// The ids that are missing from a list attribute.
    pub(super) fn ids(
        &self,
        resource: &Resource<'a>,
        key: &str,
        kinds: &[&str],
        missing: Missing,
    ) -> Option<BTreeSet<String>> {
        if missing == Missing::Nothing {
            return Some(BTreeSet::new());
        }
        let led = self.led(resource, key, kinds)?;
        let is_sure = match missing {
            // What is settled may be one of the elements, or the condition that chooses between them.
            Missing::All => !led.settled && !led.ids.is_empty(),
            Missing::Elements(count) => led.ids.len() == count,
            Missing::Nothing => true,
        };
        is_sure.then_some(led.ids)
    }

    fn led(&self, resource: &Resource<'a>, key: &str, kinds: &[&str]) -> Option<Led> {
        let place = Place { module: &resource.module, index: resource.index };
        let mut left = MOST_STEPS;
        self.follow(place, self.expressions(resource)?.get(key)?, kinds, &mut left)
    }

    /// None where a reference leads to what may hold anything.
    fn follow(
        &self,
        place: Place<'_, 'a>,
        expression: &'a Value,
        kinds: &[&str],
        left: &mut usize,
    ) -> Option<Led> {
        let mut led = Led::default();
        let Some(references) = expression.get("references").and_then(Value::as_array) else {
            led.settled = true;
            return Some(led);
        };
        let roots = roots(references)?;
        let has_key = roots.iter().any(|root| matches!(*root, "each.key" | "count.index"));
        // A reference ends where an index was computed: `web[each.key].id` is written `web` and `each.key`.
        let mut key_used = false;
        for root in roots {
            *left = left.checked_sub(1)?;
            let steps = steps(root);
            let more = match steps.as_slice() {
                [Step { name: "each", .. }, Step { name: "key", .. }]
                | [Step { name: "count", .. }, Step { name: "index", .. }] => continue,
                [Step { name: "path" | "terraform", .. }, ..] => Led { settled: true, ..Led::default() },
                [Step { name: "var", .. }, variable, rest @ ..] => {
                    narrowed(self.variable(place, variable.name, kinds, left)?, *variable, rest)?
                }
                [Step { name: "module", .. }, call, output, rest @ ..] => {
                    narrowed(self.output(place, *call, output.name, kinds, left)?, *output, rest)?
                }
                [kind, own] | [kind, own, Step { name: "id", index: None }] if kinds.contains(&kind.name) => {
                    let same = if has_key && steps.len() == 2 { place.index } else { None };
                    key_used |= same.is_some();
                    Led { ids: self.instance(place.module, kind.name, *own, same)?, settled: false }
                }
                _ => return None,
            };
            led.ids.extend(more.ids);
            led.settled |= more.settled;
        }
        led.settled |= has_key && !key_used;
        Some(led)
    }

    /// The instance a reference names: by its index, as the only one, or as the one of the same key. What has no instance
    /// gives no id: that is how modules are written which choose between two resources by their counts.
    fn instance(
        &self,
        module: &[Step<'a>],
        kind: &str,
        own: Step<'_>,
        same: Option<&str>,
    ) -> Option<BTreeSet<String>> {
        let Some(instances) = self.instances.get(&(module.to_vec(), kind, own.name)) else {
            return Some(BTreeSet::new());
        };
        if own.index.is_some() {
            return Some(instances.get(&own.index).cloned().into_iter().collect());
        }
        let mut ids = instances.values();
        match (instances.get(&same), ids.next(), ids.next()) {
            (Some(id), ..) | (None, Some(id), None) => Some(BTreeSet::from([id.clone()])),
            _ => None,
        }
    }

    /// An input variable: what the call of the module gives it.
    fn variable(&self, place: Place<'_, 'a>, name: &str, kinds: &[&str], left: &mut usize) -> Option<Led> {
        let settled = Led { settled: true, ..Led::default() };
        let Some((call, outer)) = place.module.split_last() else { return Some(settled) };
        let calls = self.modules.get(&names(outer))?.get("module_calls")?;
        match calls.get(call.name)?.get("expressions").and_then(|expressions| expressions.get(name)) {
            Some(expression) => {
                self.follow(Place { module: outer, index: call.index }, expression, kinds, left)
            }
            None => Some(settled),
        }
    }

    /// An output of a module called here.
    fn output(
        &self,
        place: Place<'_, 'a>,
        call: Step<'_>,
        name: &str,
        kinds: &[&str],
        left: &mut usize,
    ) -> Option<Led> {
        let is_called = |path: &&Vec<Step<'a>>| {
            path.split_last().is_some_and(|(last, outer)| outer == place.module && last.name == call.name)
        };
        let instances: Vec<_> = self.module_instances.iter().filter(is_called).collect();
        let by_index = |path: &&&Vec<Step<'a>>| path.last().is_some_and(|last| last.index == call.index);
        let module = match instances.as_slice() {
            [only] if call.index.is_none() => *only,
            several => several.iter().find(by_index)?,
        };
        let outputs = self.modules.get(&names(module))?.get("outputs")?;
        let expression = outputs.get(name)?.get("expression")?;
        self.follow(Place { module, index: None }, expression, kinds, left)
    }
}

/// An element or attribute of what a variable or output holds: sure only where it holds one id.
fn narrowed(led: Led, whole: Step<'_>, rest: &[Step<'_>]) -> Option<Led> {
    match (whole.index, rest) {
        (None, []) => Some(led),
        (_, [] | [Step { name: "id", index: None }]) if led.ids.len() == 1 && !led.settled => Some(led),
        _ => None,
    }
}

fn names<'a>(module: &[Step<'a>]) -> Vec<&'a str> {
    module.iter().map(|step| step.name).collect()
}

/// The references as written, without the shorter forms that Terraform lists beside each.
fn roots(references: &[Value]) -> Option<BTreeSet<&str>> {
    if references.len() > MOST_REFERENCES {
        return None;
    }
    let written: BTreeSet<&str> = references.iter().map(Value::as_str).collect::<Option<_>>()?;
    let goes_on = |short: &str| {
        written.iter().any(|long| long.strip_prefix(short).is_some_and(|rest| rest.starts_with(['.', '['])))
    };
    Some(written.iter().copied().filter(|reference| !goes_on(reference)).collect())
}

//! A made-up account with its logs in three forms, the same bytes every time.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel};
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// Records of each log.
pub(crate) const ROWS: u32 = 400_000;
const INTERFACES: u32 = 500;
const GROUPS: u32 = 40;

/// Logs and rules on disk.
pub(crate) struct Account {
    pub(crate) folder: TempDir,
    pub(crate) text: String,
}

impl Account {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = records();
        let text = text(&records);
        std::fs::create_dir(folder.path().join("snapshot")).unwrap();
        std::fs::write(folder.path().join("snapshot/rules.json"), snapshot()).unwrap();
        std::fs::write(folder.path().join("flows.log"), &text).unwrap();
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        gz.write_all(text.as_bytes()).unwrap();
        std::fs::write(folder.path().join("flows.log.gz"), gz.finish().unwrap()).unwrap();
        std::fs::write(folder.path().join("flows.parquet"), parquet(&records)).unwrap();
        Self { folder, text }
    }

    /// The log in one of its forms, by file name.
    pub(crate) fn path(&self, form: &str) -> PathBuf {
        self.folder.path().join(form)
    }
}

/// One record, in the order of the default format.
struct Record {
    interface: u32,
    addresses: [String; 2],
    ports: [u16; 2],
    packets: u32,
    bytes: u32,
    start: i64,
    action: &'static str,
}

fn interface_id(number: u32) -> String {
    format!("eni-{:017x}", 0x12_3456_7890_u64 + u64::from(number) * 7919)
}

fn address(interface: u32) -> String {
    format!("10.0.{}.{}", interface / 200, interface % 200 + 10)
}

/// Connections from a fixed linear congruence: opened from outside or inside, now and then refused.
fn records() -> Vec<Record> {
    let mut seed = 7_u32;
    let mut draw = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u32::try_from((u64::from(seed) * u64::from(below)) >> 32).unwrap()
    };
    let ports = [443, 443, 443, 80, 22, 8080, 5432, 3389, 445];
    (0..ROWS)
        .map(|row| {
            let interface = draw(INTERFACES);
            let peer = match draw(2) {
                0 => format!("{}.{}.{}.{}", 1 + draw(220), draw(256), draw(256), draw(6)),
                _ => address(draw(INTERFACES)),
            };
            let (service, client) = (ports[draw(9) as usize], u16::try_from(1024 + draw(64_000)).unwrap());
            let reply = draw(2) == 1;
            let refused = !reply && matches!(service, 3389 | 445);
            let (mut addresses, mut ports) = ([peer, address(interface)], [client, service]);
            if reply {
                addresses.reverse();
                ports.reverse();
            }
            Record {
                interface,
                addresses,
                ports,
                packets: 1 + draw(40),
                bytes: 40 + draw(60_000),
                start: 1_700_000_000 + i64::from(row / 8),
                action: if refused { "REJECT" } else { "ACCEPT" },
            }
        })
        .collect()
}

fn text(records: &[Record]) -> String {
    let mut text = String::from(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
         log-status\n",
    );
    for record in records {
        let Record {
            interface,
            addresses: [src, dst],
            ports: [srcport, dstport],
            packets,
            bytes,
            start,
            action,
        } = record;
        let id = interface_id(*interface);
        let end = start + 59;
        writeln!(
            text,
            "2 123456789012 {id} {src} {dst} {srcport} {dstport} 6 {packets} {bytes} {start} {end} {action} OK"
        )
        .unwrap();
    }
    text
}

fn parquet(records: &[Record]) -> Vec<u8> {
    let words = |word: &dyn Fn(&Record) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(word)))
    };
    let small = |number: &dyn Fn(&Record) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(records.iter().map(number)))
    };
    let large = |number: &dyn Fn(&Record) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(records.iter().map(number)))
    };
    let batch = RecordBatch::try_from_iter([
        ("interface_id", words(&|record| interface_id(record.interface))),
        ("srcaddr", words(&|record| record.addresses[0].clone())),
        ("dstaddr", words(&|record| record.addresses[1].clone())),
        ("srcport", small(&|record| record.ports[0].into())),
        ("dstport", small(&|record| record.ports[1].into())),
        ("protocol", small(&|_| 6)),
        ("packets", large(&|record| record.packets.into())),
        ("bytes", large(&|record| record.bytes.into())),
        ("start", large(&|record| record.start)),
        ("end", large(&|record| record.start + 59)),
        ("action", words(&|record| record.action.to_owned())),
        ("log_status", words(&|_| "OK".to_owned())),
    ])
    .unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Codec::GZIP(GzipLevel::default()))
        .set_max_row_group_row_count(Some(120_000))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Groups with a few services each, everything out, and an interface in one or two groups, as the AWS CLI writes them.
fn snapshot() -> String {
    let group = |number: u32| format!("sg-{:017x}", 0xabc_0000 + number);
    let groups = (0..GROUPS).map(|number| {
        let ports = [[443, 80], [8080, 22], [5432, 443], [22, 8443]][number as usize % 4];
        let rules = ports.map(|port| {
            format!(
                r#"{{"IpProtocol":"tcp","FromPort":{port},"ToPort":{port},"IpRanges":[{{"CidrIp":"0.0.0.0/0"}}]}}"#
            )
        });
        format!(
            r#"{{"GroupId":"{}","GroupName":"g{number}","Description":"","OwnerId":"123456789012","VpcId":"vpc-1","IpPermissions":[{}],"IpPermissionsEgress":[{{"IpProtocol":"-1","IpRanges":[{{"CidrIp":"0.0.0.0/0"}}]}}]}}"#,
            group(number),
            rules.join(",")
        )
    });
    let groups: Vec<String> = groups.collect();
    let interfaces = (0..INTERFACES).map(|number| {
        let own = [number % GROUPS, (number * 7 + 4) % GROUPS];
        let own: Vec<String> = own[..=usize::from(number % 3 == 0)]
            .iter()
            .map(|number| format!(r#"{{"GroupId":"{}","GroupName":""}}"#, group(*number)))
            .collect();
        format!(
            r#"{{"NetworkInterfaceId":"{}","PrivateIpAddress":"{ip}","PrivateIpAddresses":[{{"PrivateIpAddress":"{ip}"}}],"SubnetId":"subnet-1","VpcId":"vpc-1","InterfaceType":"interface","Groups":[{}]}}"#,
            interface_id(number),
            own.join(","),
            ip = address(number)
        )
    });
    let interfaces: Vec<String> = interfaces.collect();
    format!(r#"{{"SecurityGroups":[{}],"NetworkInterfaces":[{}]}}"#, groups.join(","), interfaces.join(","))
}

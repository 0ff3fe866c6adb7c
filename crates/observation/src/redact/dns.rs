use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, ResourceRecord};

use super::Redactor;

/// A DNS message with its names and addresses replaced. Records of kinds that nothing is judged by are left out, and so is
/// a message that cannot be read.
pub(super) fn message(redactor: &Redactor, message: &str) -> String {
    let bytes = STANDARD.decode(message).unwrap_or_default();
    rewritten(redactor, &bytes)
        .map(|bytes| STANDARD.encode(bytes))
        .unwrap_or_default()
}

/// The names in a DNS message, of what is asked and of what is answered.
pub(super) fn names(message: &str) -> Vec<String> {
    let bytes = STANDARD.decode(message).unwrap_or_default();
    let Ok(packet) = Packet::parse(&bytes) else {
        return Vec::new();
    };
    let mut names: Vec<String> = packet.questions.iter().map(|it| it.qname.to_string()).collect();
    let records = [&packet.answers, &packet.name_servers, &packet.additional_records];
    for record in records.into_iter().flatten() {
        names.push(record.name.to_string());
        match &record.rdata {
            RData::CNAME(alias) => names.push(alias.0.to_string()),
            RData::PTR(pointer) => names.push(pointer.0.to_string()),
            RData::NS(server) => names.push(server.0.to_string()),
            RData::SRV(service) => names.push(service.target.to_string()),
            RData::SOA(zone) => names.extend([zone.mname.to_string(), zone.rname.to_string()]),
            _ => {}
        }
    }
    names
}

fn rewritten(redactor: &Redactor, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packet = Packet::parse(bytes).ok()?;
    for question in &mut packet.questions {
        question.qname = name(redactor, &question.qname)?;
    }
    let mut sections = [
        &mut packet.answers,
        &mut packet.name_servers,
        &mut packet.additional_records,
    ];
    for section in &mut sections {
        let old = std::mem::take(*section);
        section.extend(
            old.into_iter()
                .filter_map(|record| rewritten_record(redactor, record)),
        );
    }
    packet.build_bytes_vec_compressed().ok()
}

fn rewritten_record<'a>(redactor: &Redactor, mut record: ResourceRecord<'a>) -> Option<ResourceRecord<'a>> {
    record.name = name(redactor, &record.name)?;
    match &mut record.rdata {
        RData::A(a) => match redactor.addresses.map(std::net::Ipv4Addr::from(a.address).into()) {
            std::net::IpAddr::V4(mapped) => a.address = mapped.into(),
            std::net::IpAddr::V6(_) => return None,
        },
        RData::AAAA(aaaa) => match redactor
            .addresses
            .map(std::net::Ipv6Addr::from(aaaa.address).into())
        {
            std::net::IpAddr::V6(mapped) => aaaa.address = mapped.into(),
            std::net::IpAddr::V4(_) => return None,
        },
        RData::CNAME(alias) => alias.0 = name(redactor, &alias.0)?,
        RData::PTR(pointer) => pointer.0 = name(redactor, &pointer.0)?,
        RData::NS(server) => server.0 = name(redactor, &server.0)?,
        RData::SRV(service) => service.target = name(redactor, &service.target)?,
        RData::SOA(zone) => {
            zone.mname = name(redactor, &zone.mname)?;
            zone.rname = name(redactor, &zone.rname)?;
        }
        _ => return None,
    }
    Some(record)
}

fn name<'a>(redactor: &Redactor, name: &Name<'_>) -> Option<Name<'a>> {
    let text = redactor.text(&name.to_string());
    Name::new(&text).ok().map(Name::into_owned)
}

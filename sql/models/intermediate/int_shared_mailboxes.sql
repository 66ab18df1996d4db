-- Grain: one row per user of the current snapshot whom the list of shared mailboxes names.
with rules as (
  select replace(replace(replace(replace(lower(trim(pattern)), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('shared_mailbox_rules') }}
),

named as (
  select distinct u.tenant_id, u.user_id, u.upn_key
  from {{ ref('int_users') }} as u
  join rules as r on u.upn_key like r.like_pattern escape '!' or u.user_id like r.like_pattern escape '!'
),

sizes as (
  select
    m.tenant_id,
    m.upn_key,
    max(m.storage_used_bytes) as storage_used_bytes,
    bool_or(m.has_archive) as has_archive
  from {{ ref('stg_report_mailboxes') }} as m
  join {{ ref('int_coverage') }} as c on c.tenant_id = m.tenant_id and c.logical_date = m.report_refresh_date
  where c.table_name = 'report_mailbox_usage_detail' and c.is_measured and not m.is_deleted
  group by 1, 2
)

select
  n.tenant_id,
  n.user_id,
  case
    when s.storage_used_bytes is null then 'mailbox_not_measured'
    when s.storage_used_bytes > cast({{ var('shared_mailbox_free_mb') }} as bigint) * 1048576 then 'mailbox_too_large'
    when s.has_archive then 'mailbox_archive'
  end as needs_license
from named as n
left join sizes as s on s.tenant_id = n.tenant_id and s.upn_key = n.upn_key

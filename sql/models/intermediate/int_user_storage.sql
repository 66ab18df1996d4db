-- Grain: one row per user of the current snapshot: the storage that a smaller licence must hold. A complete report lists every
-- mailbox and OneDrive, so that a user it does not list has none; what was not measured is null.
with tenants as (
  select
    tenant_id,
    bool_or(table_name = 'report_mailbox_usage_detail' and is_measured and state = 'complete') as has_mailboxes,
    bool_or(table_name = 'report_onedrive_usage_account_detail' and is_measured and state = 'complete') as has_onedrives
  from {{ ref('int_coverage') }}
  group by 1
),

mailboxes as (
  select r.tenant_id, r.upn_key, count_if(r.storage_used_bytes is null) as unknown_sizes, bool_or(r.has_archive) as has_archive
  from {{ ref('stg_report_mailboxes') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_mailbox_usage_detail' and c.is_measured and not r.is_deleted
  group by 1, 2
),

onedrives as (
  select r.tenant_id, r.upn_key, count_if(r.storage_used_bytes is null) as unknown_sizes
  from {{ ref('stg_report_onedrives') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_onedrive_usage_account_detail' and c.is_measured and not r.is_deleted
  group by 1, 2
)

select
  u.tenant_id,
  u.user_id,
  case
    when m.upn_key is not null and m.unknown_sizes = 0 then g.mail_used_bytes
    when m.upn_key is null and t.has_mailboxes then cast(0 as bigint)
  end as mailbox_bytes,
  case when m.upn_key is not null then m.has_archive when t.has_mailboxes then false end as has_archive,
  case
    when o.upn_key is not null and o.unknown_sizes = 0 then g.onedrive_used_bytes
    when o.upn_key is null and t.has_onedrives then cast(0 as bigint)
  end as onedrive_bytes
from {{ ref('int_users') }} as u
join tenants as t on t.tenant_id = u.tenant_id
join {{ ref('int_user_usage') }} as g on g.tenant_id = u.tenant_id and g.user_id = u.user_id
left join mailboxes as m on m.tenant_id = u.tenant_id and m.upn_key = u.upn_key
left join onedrives as o on o.tenant_id = u.tenant_id and o.upn_key = u.upn_key

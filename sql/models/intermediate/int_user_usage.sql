-- Grain: one row per user of the current snapshot: what the reports say of the user's activations, storage and devices.
with tenants as (
  select
    tenant_id,
    bool_or(table_name = 'report_office365_activations_user_detail' and is_measured) as has_activations,
    bool_or(table_name = 'report_m365_app_user_detail' and is_measured) as has_apps,
    bool_or(table_name = 'report_m365_app_user_detail' and is_measured and state = 'complete') as has_all_apps
  from {{ ref('int_coverage') }}
  group by 1
),

activations as (
  select r.tenant_id, r.upn_key, count(distinct case when r.activations > 0 then r.product_type end) as activations
  from {{ ref('stg_report_activations') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_office365_activations_user_detail' and c.is_measured
  group by 1, 2
),

-- A person has one mailbox: a second row of the same name is the same one.
mailboxes as (
  select r.tenant_id, r.upn_key, max(r.storage_used_bytes) as storage_used_bytes
  from {{ ref('stg_report_mailboxes') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_mailbox_usage_detail' and c.is_measured and not r.is_deleted
  group by 1, 2
),

sites as (
  select r.tenant_id, r.upn_key, r.site_id, r.site_url, max(r.storage_used_bytes) as storage_used_bytes
  from {{ ref('stg_report_onedrives') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_onedrive_usage_account_detail' and c.is_measured and not r.is_deleted
  group by 1, 2, 3, 4
),

onedrives as (
  select tenant_id, upn_key, cast(sum(storage_used_bytes) as bigint) as storage_used_bytes
  from sites
  group by 1, 2
),

apps as (
  select
    r.tenant_id,
    r.upn_key,
    bool_or(r.uses_windows) as uses_windows,
    bool_or(r.uses_mac) as uses_mac,
    bool_or(r.uses_mobile) as uses_mobile,
    bool_or(r.uses_web) as uses_web
  from {{ ref('stg_report_apps') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_m365_app_user_detail' and c.is_measured
  group by 1, 2
)

select
  u.tenant_id,
  u.user_id,
  case when t.has_activations then coalesce(a.activations, 0) end as activations,
  m.storage_used_bytes as mail_used_bytes,
  o.storage_used_bytes as onedrive_used_bytes,
  -- A complete report lists everybody who used an app, so that a user it does not list used none.
  case when t.has_all_apps then coalesce(p.uses_windows, false) when t.has_apps then p.uses_windows end as uses_windows,
  case when t.has_all_apps then coalesce(p.uses_mac, false) when t.has_apps then p.uses_mac end as uses_mac,
  case when t.has_all_apps then coalesce(p.uses_mobile, false) when t.has_apps then p.uses_mobile end as uses_mobile,
  case when t.has_all_apps then coalesce(p.uses_web, false) when t.has_apps then p.uses_web end as uses_web
from {{ ref('int_users') }} as u
join tenants as t on t.tenant_id = u.tenant_id
left join activations as a on a.tenant_id = u.tenant_id and a.upn_key = u.upn_key
left join mailboxes as m on m.tenant_id = u.tenant_id and m.upn_key = u.upn_key
left join onedrives as o on o.tenant_id = u.tenant_id and o.upn_key = u.upn_key
left join apps as p on p.tenant_id = u.tenant_id and p.upn_key = u.upn_key

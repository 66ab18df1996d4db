-- Grain: one row per tenant and measured report: how many of its living rows join no user of the current snapshot.
with report_rows as (
  select 'report_office365_active_user_detail' as table_name, tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_active_users') }}
  where not is_deleted
  union all
  select 'report_email_activity_user_detail', tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_email') }}
  where not is_deleted
  union all
  select 'report_m365_app_user_detail', tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_apps') }}
  union all
  select 'report_office365_activations_user_detail', tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_activations') }}
  union all
  select 'report_mailbox_usage_detail', tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_mailboxes') }}
  where not is_deleted
  union all
  select 'report_onedrive_usage_account_detail', tenant_id, report_refresh_date, upn_key
  from {{ ref('stg_report_onedrives') }}
  where not is_deleted
)

select
  r.tenant_id,
  r.table_name,
  count(*) as report_rows,
  count_if(u.user_id is null) as unmatched_rows,
  count_if(u.user_id is null and coalesce(r.upn_key, '(unknown)') = '(unknown)') as unknown_rows
from report_rows as r
join {{ ref('int_coverage') }} as c
  on c.tenant_id = r.tenant_id and c.table_name = r.table_name and c.logical_date = r.report_refresh_date and c.is_measured
left join {{ ref('int_users') }} as u on u.tenant_id = r.tenant_id and u.upn_key = r.upn_key
group by 1, 2

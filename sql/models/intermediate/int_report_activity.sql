-- Grain: one row per tenant, sign-in name and report that drives services, from the current reports that are measured.
-- Rows marked deleted never count. A name that a report lists twice has the later activity.
select
  r.tenant_id,
  r.upn_key,
  c.table_name,
  max(r.exchange_last_activity_date) as exchange_last_activity_date,
  max(r.onedrive_last_activity_date) as onedrive_last_activity_date,
  max(r.sharepoint_last_activity_date) as sharepoint_last_activity_date,
  max(r.skype_for_business_last_activity_date) as skype_for_business_last_activity_date,
  max(r.yammer_last_activity_date) as yammer_last_activity_date,
  max(r.teams_last_activity_date) as teams_last_activity_date,
  cast(null as date) as outlook_last_activity_date
from {{ ref('stg_report_active_users') }} as r
join {{ ref('int_coverage') }} as c
  on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
where c.table_name = 'report_office365_active_user_detail' and c.is_measured and not r.is_deleted and r.upn_key is not null
group by 1, 2, 3
union all
select
  r.tenant_id,
  r.upn_key,
  c.table_name,
  cast(null as date),
  cast(null as date),
  cast(null as date),
  cast(null as date),
  cast(null as date),
  cast(null as date),
  max(r.last_activity_date)
from {{ ref('stg_report_email') }} as r
join {{ ref('int_coverage') }} as c
  on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
where c.table_name = 'report_email_activity_user_detail' and c.is_measured and not r.is_deleted and r.upn_key is not null
group by 1, 2, 3
